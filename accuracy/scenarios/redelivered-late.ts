import { ScriptedProcess } from '../scripted-process.js';
import type { Stage } from '../stage.js';
import { ROOMS, Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/** A consumer is cancelled after it has backed the message up: the next one restores it and receives it again. */
export const redeliveredLate: Scenario = {
  name: 'redelivered-late',
  makes: 'redelivered-late',
  plays: 'redis-py 5, scripted',
  async play(stage) {
    const traffic = await Traffic.start(stage);
    const process = new ScriptedProcess(stage);
    for (const room of ROOMS) await process.join(traffic.layer, room);
    stage.background(receive(stage, process));
    await traffic.sent;
    await traffic.drained();
  },
};

async function receive(stage: Stage, process: ScriptedProcess): Promise<void> {
  const random = stage.random('cancelled');
  while (!stage.ending) {
    const wire = await stage.connect();
    for (let left = 4 + random() * 8; left > 0; left--) await process.receive(wire);
    const popped = await process.pop(wire);
    await process.backUp(wire, popped);
    process.blame(popped, 'redelivered-late');
    wire.destroy();
  }
}
