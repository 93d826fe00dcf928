/** Consumers of one process that come and go: what sets off most losses. */
import { type ChannelLayer, Consumer, Sender } from './consumer.js';
import type { Stage } from './stage.js';

/** So many at a time, each for a moment, until `over` says so. Resolves when the last has left. */
export async function churn(
  stage: Stage,
  layer: ChannelLayer,
  many: number,
  over: () => boolean,
): Promise<void> {
  await Promise.all(Array.from({ length: many }, (_, number) => comeAndGo(stage, layer, number, over)));
}

async function comeAndGo(
  stage: Stage,
  layer: ChannelLayer,
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
