import { Sender } from '../consumer.js';
import { ScriptedProcess } from '../scripted-process.js';
import { Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/** A process does not keep up, its queue is full, and group_send passes it over without a word. */
export const overCapacity: Scenario = {
  name: 'over-capacity',
  makes: 'over-capacity',
  plays: 'our layer with a capacity of 8; a process that pauses',
  async play(stage) {
    const traffic = await Traffic.start(stage, { messages: 15 });
    const process = new ScriptedProcess(stage);
    await process.join(traffic.layer, 'room_a');
    const sender = new Sender(stage, stage.layer({ receive: 'reliable', capacity: 8 }), 'fast');
    for (let left = 14; left > 0; left--) {
      const message = await sender.say('room_a');
      if (!(await process.waiting()).has(message)) process.blameAll([message], 'over-capacity');
    }
    const wire = await stage.connect();
    stage.background(process.receiveUntil(wire, () => stage.ending));
    await traffic.sent;
    await traffic.drained();
  },
};
