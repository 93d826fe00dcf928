import { Sender } from '../consumer.js';
import { ListProcess } from '../list-process.js';
import { Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/** A group_send that mixes up two consumers of one process: one gets the message twice, the other never (channels_redis#93). */
export const misrouted: Scenario = {
  name: 'misrouted',
  makes: 'misrouted',
  plays: 'channels_redis 2.1.0, scripted',
  async play(stage) {
    const random = stage.random('mixes up');
    const traffic = await Traffic.start(stage);
    let forgotten: string | undefined;
    const process = new ListProcess(stage, {
      misroute: (channels) => {
        const [first, ...others] = channels;
        if (random() < 0.6 || first === undefined) return channels;
        forgotten = first;
        return [others[0] ?? first, ...others];
      },
    });
    const [sending, receiving] = [await stage.connect(), await stage.connect()];
    const channels: string[] = [];
    for (let left = 2 + random() * 2; left > 0; left--)
      channels.push(await process.join(sending, 'room_old'));
    stage.background(process.receiveUntil(receiving, () => stage.ending));
    const sender = new Sender(stage, process.speaksOver(sending), 'old');
    for (let left = 20; left > 0; left--) {
      forgotten = undefined;
      const message = await sender.say('room_old');
      if (forgotten !== undefined)
        stage.truth.note({ event: 'blamed', message, channel: forgotten, cause: 'misrouted' });
      await stage.sleep(random() * 15);
    }
    await traffic.sent;
    await traffic.drained(channels);
  },
};
