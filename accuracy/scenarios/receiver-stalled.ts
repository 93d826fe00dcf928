import { Sender } from '../consumer.js';
import { ScriptedProcess } from '../scripted-process.js';
import { Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/** A receive loop that never polls again, in a process that lives: what is sent to it waits for ever. */
export const receiverStalled: Scenario = {
  name: 'receiver-stalled',
  makes: 'receiver-stalled',
  plays: 'channels_redis 4.0 with a leaked receive lock and polls of 1 s, scripted',
  async play(stage) {
    const traffic = await Traffic.start(stage, { messages: 15 });
    const process = new ScriptedProcess(stage, { pollSeconds: 1 });
    const sender = new Sender(stage, traffic.layer, 'ignored');
    const channel = await process.join(traffic.layer, 'room_c');
    const wire = await stage.connect();
    for (let left = 5; left > 0; left--) {
      await sender.say('room_c');
      await process.receive(wire);
    }
    for (let left = 10; left > 0; left--) {
      process.blameAll([await sender.say('room_c')], 'receiver-stalled');
      await wire.call('PING');
      await stage.sleep(300);
    }
    await traffic.sent;
    await traffic.drained([channel]);
  },
};
