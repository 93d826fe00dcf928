import { Sender } from '../consumer.js';
import { ScriptedProcess } from '../scripted-process.js';
import { Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/** Two workers on one general channel: one begins to receive while the other has a message in hand, and puts it back. */
export const workerDuplicate: Scenario = {
  name: 'worker-duplicate',
  makes: 'worker-duplicate',
  plays: 'two workers of channels_redis 4.0, scripted',
  async play(stage) {
    const random = stage.random('workers');
    const traffic = await Traffic.start(stage, { messages: 15 });
    const [one, other] = [0, 1].map(() => new ScriptedProcess(stage, { name: 'worker' })) as [
      ScriptedProcess,
      ScriptedProcess,
    ];
    const wires = [await stage.connect(), await stage.connect()] as const;
    const sender = new Sender(stage, traffic.layer, 'boss');
    for (let left = 12; left > 0; left--) {
      await sender.tell('worker');
      const popped = await one.pop(wires[0]);
      await one.backUp(wires[0], popped);
      one.dispatch(popped);
      if (random() < 0.3) {
        const again = await other.pop(wires[1]);
        await one.acknowledge(wires[0]);
        other.blame(again, 'worker-duplicate');
        await other.finish(wires[1], again);
      } else await one.acknowledge(wires[0]);
    }
    await traffic.sent;
    await traffic.drained();
  },
};
