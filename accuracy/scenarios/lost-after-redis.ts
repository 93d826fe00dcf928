import { Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/** A consumer forgets what it got: Redis and the layer did all they should. */
export const lostAfterRedis: Scenario = {
  name: 'lost-after-redis',
  makes: 'lost-after-redis',
  plays: 'our layer, receive: reliable, with consumers that drop',
  async play(stage) {
    const random = stage.random('drops');
    const drops = (message: string) => !message.startsWith('drain') && random() < 0.05;
    const traffic = await Traffic.start(stage, { consumers: { drops } });
    await traffic.sent;
    await traffic.drained();
  },
};
