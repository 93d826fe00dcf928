import { pausedProcess } from '../paused-process.js';
import type { Scenario } from './scenario.js';

/** A queue that is not read goes on being sent to: each send drops what has waited longer than the expiry. */
export const messageExpired: Scenario = {
  name: 'message-expired',
  makes: 'message-expired',
  plays: 'our layer with an expiry of 1 s; a process that pauses',
  async play(stage) {
    const { traffic, process, sender, channel, wire } = await pausedProcess(stage);
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
