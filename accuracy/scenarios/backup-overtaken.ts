import { poppedOf, ScriptedProcess } from '../scripted-process.js';
import type { Stage } from '../stage.js';
import { ROOMS, Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/**
 * A consumer is cancelled while its backup is on the way, and the next one's restore is there first. The next one's acknowledgement then takes
 * the wrong message out of the backup: the first is lost, the second comes twice.
 */
export const backupOvertaken: Scenario = {
  name: 'backup-overtaken',
  plays: 'redis-py 5, scripted, with latency that varies',
  latencyUs: 2_000,
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
  let wire = await stage.connect();
  while (!stage.ending) {
    for (let left = 4 + random() * 6; left > 0; left--) await process.receive(wire);
    const popped = await process.pop(wire);
    const next = await stage.connect();
    wire.send('ZADD', process.backup, popped.score, popped.member); // cancelled: nobody waits for the reply
    wire.end();
    await process.restore(next); // on its way beside it, and perhaps there first
    const overtaken = !(await process.holds(popped));
    process.blame(popped, overtaken ? 'backup-overtaken' : 'redelivered-late');
    const second = poppedOf(await process.poll(next));
    if (second) {
      await process.finish(next, second);
      if (overtaken) process.blame(second, 'acknowledged-another');
    }
    wire = next;
  }
}
