import { churn } from '../churn.js';
import { startPubSub } from '../subscribers.js';
import type { Scenario } from './scenario.js';

/** Nothing is lost, but what is sent while somebody is joining: three processes, consumers that come and go. */
export const pubsubHealthy: Scenario = {
  name: 'pubsub-healthy',
  plays: 'our pub/sub layer, with churn',
  losesBy: ['subscribe-race'],
  async play(stage) {
    const traffic = await startPubSub(stage, { messages: 40 });
    let over = false;
    const churning = churn(stage, stage.pubsub(), 3, () => over);
    await traffic.sent;
    over = true;
    await churning;
    await traffic.drained();
  },
};
