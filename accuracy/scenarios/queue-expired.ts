import { Sender } from '../consumer.js';
import { ScriptedProcess } from '../scripted-process.js';
import { Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/** Nobody reads a queue for as long as it may live: Redis drops it, and nothing on the wire shows that. */
export const queueExpired: Scenario = {
  name: 'queue-expired',
  makes: 'queue-expired',
  plays: 'our layer with an expiry of 1 s; a process that pauses',
  async play(stage) {
    const traffic = await Traffic.start(stage, { messages: 15 });
    const process = new ScriptedProcess(stage);
    const sender = new Sender(stage, stage.layer({ receive: 'reliable', expiry: 1 }), 'slow');
    const channel = await process.join(traffic.layer, 'room_c');
    const wire = await stage.connect();
    for (let left = 4; left > 0; left--) {
      const message = await sender.say('room_c');
      await process.receiveUntil(wire, () => stage.truth.wasProcessed(message, channel));
    }
    for (let left = 3; left > 0; left--) await sender.say('room_c');
    const waiting = await process.waiting();
    while ((await stage.direct().exists(process.queue)) > 0) await stage.sleep(50);
    await stage.sleep(150); // by the clock of the trace, too
    process.blameAll(waiting, 'queue-expired');
    stage.background(process.receiveUntil(wire, () => stage.ending));
    await traffic.sent;
    for (let left = 3; left > 0; left--) {
      const message = await sender.say('room_c');
      await stage.truth.until(() => stage.truth.wasProcessed(message, channel), 'a message after the pause');
    }
    await traffic.drained([channel]);
  },
};
