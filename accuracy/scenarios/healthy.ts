import { Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/** Nothing is lost: several processes, two rooms, consumers that come and go. */
export const healthy: Scenario = {
  name: 'healthy',
  plays: 'our layer, receive: reliable',
  async play(stage) {
    const traffic = await Traffic.start(stage, { messages: 40 });
    await traffic.sent;
    await traffic.drained();
  },
};
