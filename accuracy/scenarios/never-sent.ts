import { Sender } from '../consumer.js';
import { Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/** The server gets a message from its client and does not pass it on. */
export const neverSent: Scenario = {
  name: 'never-sent',
  makes: 'never-sent',
  plays: 'our layer, with a server that forgets',
  async play(stage) {
    const random = stage.random('forgets');
    const traffic = await Traffic.start(stage);
    const sender = new Sender(stage, traffic.layer, 'forgetful');
    for (let left = 20; left > 0; left--) {
      if (left < 20 && left > 1 && random() < 0.2) sender.forget('room_a');
      else await sender.say('room_a');
      await stage.sleep(random() * 15);
    }
    await traffic.sent;
    await traffic.drained();
  },
};
