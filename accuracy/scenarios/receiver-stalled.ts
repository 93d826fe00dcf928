import { Sender } from '../consumer.js';
import { ScriptedProcess } from '../scripted-process.js';
import { Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/** A receive loop that never polls again, in a process that lives: its queue fills up, and what is sent to it from then on is passed over. */
export const receiverStalled: Scenario = {
  name: 'receiver-stalled',
  makes: 'receiver-stalled',
  plays: 'channels_redis 4.0 with a leaked receive lock, polls of 1 s and a capacity of 4, scripted',
  async play(stage) {
    const traffic = await Traffic.start(stage, { messages: 15 });
    const process = new ScriptedProcess(stage, { pollSeconds: 1 });
    const sender = new Sender(stage, stage.layer({ receive: 'reliable', capacity: 4 }), 'ignored');
    const channel = await process.join(traffic.layer, 'room_c');
    const wire = await stage.connect();
    for (let left = 5; left > 0; left--) {
      await sender.say('room_c');
      await process.receive(wire);
    }
    for (let left = 10; left > 0; left--) {
      const message = await sender.say('room_c');
      if (!(await process.waiting()).has(message)) process.blameAll([message], 'receiver-stalled');
      await wire.call('PING');
      await stage.sleep(300);
    }
    await traffic.sent;
    await traffic.drained([channel]);
  },
};
