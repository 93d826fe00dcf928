import { Sender } from '../consumer.js';
import { ScriptedProcess } from '../scripted-process.js';
import { Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/** A queue that is not read goes on being sent to: each send drops what has waited longer than the expiry. */
export const messageExpired: Scenario = {
  name: 'message-expired',
  makes: 'message-expired',
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
    let last = '';
    let held = new Set<string>();
    for (let left = 9; left > 0; left--) {
      const before = await process.waiting();
      // Where this machine was too busy to send for a whole second.
      if (before.size === 0) process.blameAll(held, 'queue-expired');
      last = await sender.say('room_c');
      held = await process.waiting();
      process.blameAll(
        [...before].filter((message) => !held.has(message)),
        'message-expired',
      );
      if (left > 1) await stage.sleep(330);
    }
    stage.background(process.receiveUntil(wire, () => stage.ending));
    await stage.truth.until(() => stage.truth.wasProcessed(last, channel), 'a message after the pause');
    await traffic.sent;
    await traffic.drained([channel]);
  },
};
