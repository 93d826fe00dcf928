import { Consumer, Sender } from '../consumer.js';
import { startPubSub, untilSubscribed } from '../subscribers.js';
import type { Scenario } from './scenario.js';

/** A client counts on a room before its consumer has joined there: nobody is subscribed yet, and pub/sub keeps nothing. */
export const noSubscriber: Scenario = {
  name: 'no-subscriber',
  makes: 'no-subscriber',
  plays: 'our pub/sub layer, with consumers that join too late',
  async play(stage) {
    const random = stage.random('early');
    const traffic = await startPubSub(stage);
    const layer = stage.pubsub();
    const sender = new Sender(stage, traffic.layer, 'early');
    const late: string[] = [];
    for (let round = 0; round < 4; round++) {
      const room = `room_late_${round}`;
      const missed: string[] = [];
      for (let left = 1 + random() * 2; left > 0; left--) missed.push(await sender.say(room));
      const { channel } = await Consumer.join(stage, layer, room);
      late.push(channel);
      await untilSubscribed(stage, room, 1);
      for (const message of missed)
        stage.truth.note({ event: 'blamed', message, channel, cause: 'no-subscriber' });
      await sender.say(room);
    }
    await comesAndGoes();
    await traffic.sent;
    await traffic.drained(late);

    /** The innocent twin: a room that everybody has left. */
    async function comesAndGoes(): Promise<void> {
      const guest = await Consumer.join(stage, layer, 'room_left');
      await untilSubscribed(stage, 'room_left', 1);
      await sender.say('room_left');
      await guest.leave();
      await untilSubscribed(stage, 'room_left', 0);
      await sender.say('room_left');
    }
  },
};
