import { Sender } from '../consumer.js';
import { Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/** Redis refuses what is sent for a while: to a group for want of a permission, to one channel because it is out of memory. */
export const rejected: Scenario = {
  name: 'rejected',
  makes: 'rejected',
  plays: 'our layer; Redis with fewer permissions, or out of memory',
  async play(stage) {
    const random = stage.random('refuses');
    const direct = stage.direct();
    const permission = (rule: string) => direct.call('ACL', 'SETUSER', 'default', rule);
    const memory = (limit: string) => direct.config('SET', 'maxmemory', limit);
    const traffic = await Traffic.start(stage, { messages: 15 });
    const sender = new Sender(stage, traffic.layer, 'refused');
    const [channel] = stage.truth.present();
    const say =
      random() < 0.5 || channel === undefined
        ? {
            refuse: () => permission('-zadd'),
            allow: () => permission('+zadd'),
            now: () => sender.say('room_a'),
          }
        : { refuse: () => memory('1'), allow: () => memory('0'), now: () => sender.tell(channel) };
    await say.now();
    await traffic.sent;
    await traffic.drained();
    await say.refuse();
    for (let left = 2 + random() * 4; left > 0; left--) {
      const message = await say.now();
      stage.truth.note({ event: 'blamed', message, channel: null, cause: 'rejected' });
    }
    await say.allow();
    for (let left = 5; left > 0; left--) await say.now();
    await traffic.drained();
  },
};
