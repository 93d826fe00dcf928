import { startPubSub } from '../subscribers.js';
import type { Scenario } from './scenario.js';

/** A consumer forgets what was published to it: Redis and the layer did all they should. */
export const pubsubLostAfterRedis: Scenario = {
  name: 'pubsub-lost-after-redis',
  makes: 'lost-after-redis',
  plays: 'our pub/sub layer, with consumers that drop',
  async play(stage) {
    const random = stage.random('drops');
    const drops = (message: string) => !message.startsWith('drain') && random() < 0.05;
    const traffic = await startPubSub(stage, { consumers: { drops } });
    await traffic.sent;
    await traffic.drained();
  },
};
