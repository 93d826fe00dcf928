import { RedisLayer } from '../../server/layers/redis.js';
import { idOf } from '../consumer.js';
import { Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/** Somebody sends past the proxy: consumers process what no operation of the trace put in. */
export const sentElsewhere: Scenario = {
  name: 'sent-elsewhere',
  plays: 'our layer, one of them straight to Redis',
  async play(stage) {
    const traffic = await Traffic.start(stage);
    const elsewhere = new RedisLayer({ prefix: 'chat', hosts: [stage.redis.url] });
    stage.atEnd(() => elsewhere.close());
    for (let count = 0; count < 5; count++) {
      const message = { type: 'chat_send', text_data: JSON.stringify({ my_id: 'stranger', count }) };
      await elsewhere.groupSend('room_a', message);
      await stage.truth.until(() => stage.truth.wasProcessed(idOf(message)), 'a message from elsewhere');
    }
    await traffic.sent;
    await traffic.drained();
  },
};
