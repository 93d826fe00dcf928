import { Consumer, Sender } from '../consumer.js';
import type { Stage } from '../stage.js';
import { ROOMS, Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/** Not scripted: our layer receives as channels_redis does, and consumers of the same process come and go. */
export const poppedThenDisconnected: Scenario = {
  name: 'popped-then-disconnected',
  makes: 'popped-then-disconnected',
  plays: 'our layer, receive: channels-redis, with churn and latency',
  losesBy: ['popped-then-disconnected', 'backup-overtaken'],
  latencyUs: 1_000,
  async play(stage) {
    const traffic = await Traffic.start(stage, { messages: 25, everyMs: 20 });
    const layer = stage.layer({ receive: 'channels-redis' });
    for (const room of ROOMS) await Consumer.join(stage, layer, room);
    let over = false;
    const churn = Promise.all([0, 1, 2, 3].map((n) => comeAndGo(stage, layer, n, () => over)));
    await traffic.sent;
    over = true;
    await churn;
    await traffic.drained();
  },
};

async function comeAndGo(
  stage: Stage,
  layer: ReturnType<Stage['layer']>,
  number: number,
  over: () => boolean,
): Promise<void> {
  const random = stage.random(`churn ${number}`);
  const sender = new Sender(stage, layer, `churn-${number}`);
  while (!over()) {
    const consumer = await Consumer.join(stage, layer, 'churn');
    if (random() < 0.3) await sender.say('churn');
    await stage.sleep(random() * 40);
    await consumer.leave();
  }
}
