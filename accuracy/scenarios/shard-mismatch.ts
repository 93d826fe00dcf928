import { hostOf } from '../../server/layers/placement.js';
import { Consumer, Sender } from '../consumer.js';
import { Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/** Two Redis hosts: `send` chooses one by the whole name of a channel, `receive` by the name of its process (channels_redis#221). */
export const shardMismatch: Scenario = {
  name: 'shard-mismatch',
  makes: 'shard-mismatch',
  plays: 'our layer, receive: channels-redis, on two hosts; a trace of each',
  hosts: 2,
  async play(stage) {
    const random = stage.random('tells');
    const traffic = await Traffic.start(stage, { messages: 20 });
    const receiving = stage.layer({ receive: 'channels-redis' });
    const sender = new Sender(stage, stage.layer({ receive: 'channels-redis' }), 'teller');
    const consumers: Consumer[] = [];
    const astray = ({ channel }: Consumer) =>
      hostOf(channel, 2) !== hostOf(channel.slice(0, channel.indexOf('!') + 1), 2);
    do consumers.push(await Consumer.join(stage, receiving, 'room_hosts'));
    while (consumers.every(astray) || !consumers.some(astray));
    for (let left = 20; left > 0; left--) {
      const consumer = consumers[Math.floor(random() * consumers.length)] as Consumer;
      const message = await sender.tell(consumer.channel);
      if (astray(consumer))
        stage.truth.note({ event: 'blamed', message, channel: consumer.channel, cause: 'shard-mismatch' });
      if (random() < 0.3) await sender.say('room_hosts');
      await stage.sleep(random() * 15);
    }
    const last = await sender.say('room_hosts');
    for (const { channel } of consumers)
      await stage.truth.until(() => stage.truth.wasProcessed(last, channel), 'the last message to all');
    await traffic.sent;
    await traffic.drained(consumers.map(({ channel }) => channel));
  },
};
