import { Consumer, Sender } from '../consumer.js';
import { startPubSub, untilSubscribed } from '../subscribers.js';
import type { Scenario } from './scenario.js';

/** What a process sends to a room right after joining overtakes its own SUBSCRIBE: the two go by different connections. */
export const subscribeRace: Scenario = {
  name: 'subscribe-race',
  plays: 'our pub/sub layer, with latency and jitter',
  losesBy: ['subscribe-race'],
  latencyUs: 2_000,
  async play(stage) {
    const traffic = await startPubSub(stage);
    const layer = stage.pubsub();
    const sender = new Sender(stage, layer, 'eager');
    const joined: string[] = [];
    for (let round = 0; round < 12; round++) {
      const room = `room_new_${round}`;
      joined.push((await Consumer.join(stage, layer, room)).channel);
      await sender.say(room);
      await untilSubscribed(stage, room, 1);
      await sender.say(room);
    }
    await traffic.sent;
    await traffic.drained(joined);
  },
};
