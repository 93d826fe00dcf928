import { churn } from '../churn.js';
import { Consumer } from '../consumer.js';
import { ROOMS, Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/** Not scripted: our layer receives as channels_redis does, and consumers of the same process come and go. */
export const poppedThenDisconnected: Scenario = {
  name: 'popped-then-disconnected',
  plays: 'our layer, receive: channels-redis, with churn and latency',
  losesBy: ['popped-then-disconnected', 'backup-overtaken'],
  latencyUs: 1_000,
  async play(stage) {
    const traffic = await Traffic.start(stage, { messages: 25, everyMs: 20 });
    const layer = stage.layer({ receive: 'channels-redis' });
    for (const room of ROOMS) await Consumer.join(stage, layer, room);
    let over = false;
    const churning = churn(stage, layer, 4, () => over);
    await traffic.sent;
    over = true;
    await churning;
    await traffic.drained();
  },
};
