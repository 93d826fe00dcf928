import { Sender } from '../consumer.js';
import { ScriptedProcess } from '../scripted-process.js';
import { Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/** Somebody who does not come through the proxy deletes a queue, or one message of it. */
export const removedOutsideTrace: Scenario = {
  name: 'removed-outside-trace',
  makes: 'removed-outside-trace',
  plays: 'our layer; DEL or ZREM on a connection past the proxy',
  async play(stage) {
    const random = stage.random('removes');
    const traffic = await Traffic.start(stage, { messages: 15 });
    const process = new ScriptedProcess(stage);
    const sender = new Sender(stage, traffic.layer, 'robbed');
    const channel = await process.join(traffic.layer, 'room_c');
    const wire = await stage.connect();
    for (let round = 0; round < 3; round++) {
      for (let left = 3; left > 0; left--) await sender.say('room_c');
      const before = await process.waiting();
      if (random() < 0.5) await stage.direct().del(process.queue);
      else await stage.direct().zpopmin(process.queue);
      const after = await process.waiting();
      process.blameAll(
        [...before].filter((message) => !after.has(message)),
        'removed-outside-trace',
      );
      for (let left = 3; left > 0; left--) {
        const message = await sender.say('room_c');
        await process.receiveUntil(wire, () => stage.truth.wasProcessed(message, channel));
      }
    }
    stage.background(process.receiveUntil(wire, () => stage.ending));
    await traffic.sent;
    await traffic.drained([channel]);
  },
};
