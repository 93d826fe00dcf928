import { Sender } from '../consumer.js';
import { ScriptedProcess } from '../scripted-process.js';
import { Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/** The same to one channel: `send` raises ChannelFull, which many callers swallow. */
export const overCapacitySend: Scenario = {
  name: 'over-capacity-send',
  makes: 'over-capacity',
  neverCertain: ['over-capacity'], // the message is not on the wire: a full queue shows, not what was refused
  plays: 'our layer with a capacity of 8; a process that pauses',
  async play(stage) {
    const traffic = await Traffic.start(stage, { messages: 15 });
    const process = new ScriptedProcess(stage);
    const channel = await process.join(traffic.layer, 'room_c');
    const wire = await stage.connect();
    const sender = new Sender(stage, stage.layer({ receive: 'reliable', capacity: 8 }), 'fast');
    for (let left = 14; left > 0; left--) {
      const message = await sender.tell(channel);
      if (!(await process.waiting()).has(message)) process.blameAll([message], 'over-capacity');
    }
    stage.background(process.receiveUntil(wire, () => stage.ending));
    while ((await process.waiting()).size > 0) await stage.sleep(5);
    const last = await sender.tell(channel);
    await stage.truth.until(() => stage.truth.wasProcessed(last, channel), 'a message after the pause');
    await stage.sleep(1_100); // a client that lives on: its silence after a count was its own will
    await traffic.sent;
    await traffic.drained([channel]);
  },
};
