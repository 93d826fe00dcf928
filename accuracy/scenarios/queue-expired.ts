import { pausedProcess } from '../paused-process.js';
import type { Scenario } from './scenario.js';

/** Nobody reads a queue for as long as it may live: Redis drops it, and nothing on the wire shows that. */
export const queueExpired: Scenario = {
  name: 'queue-expired',
  makes: 'queue-expired',
  plays: 'our layer with an expiry of 1 s; a process that pauses',
  async play(stage) {
    const { traffic, process, sender, channel, wire } = await pausedProcess(stage);
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
