import { Sender } from '../consumer.js';
import { ScriptedProcess } from '../scripted-process.js';
import { Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/** Everyone that a process had in the room leaves before the process takes the message out of its queue: nobody lost anything. */
export const recipientsLeft: Scenario = {
  name: 'recipients-left',
  plays: 'channels_redis 4.0, scripted',
  async play(stage) {
    const traffic = await Traffic.start(stage);
    const process = new ScriptedProcess(stage);
    const wire = await stage.connect();
    const sender = new Sender(stage, traffic.layer, 'late');
    const host = await process.join(traffic.layer, 'room_b');
    for (let round = 0; round < 3; round++) {
      const guest = await process.join(traffic.layer, 'room_a');
      for (let said = 0; said < 3; said++) await sender.say('room_a');
      await process.leave(traffic.layer, 'room_a', guest);
      const last = await sender.say('room_b');
      await process.receiveUntil(wire, () => stage.truth.wasProcessed(last, host));
    }
    stage.background(process.receiveUntil(wire, () => stage.ending));
    await traffic.sent;
    await traffic.drained();
  },
};
