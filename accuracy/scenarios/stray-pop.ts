import { poppedOf, ScriptedProcess } from '../scripted-process.js';
import type { Stage } from '../stage.js';
import { ROOMS, Traffic } from '../traffic.js';
import type { WireClient } from '../wire-client.js';
import type { Scenario } from './scenario.js';

/** redis-py 4.5.4 shields a command from cancellation: the BZPOPMIN goes on, its connection goes back to the pool when it is answered. */
export const strayPop: Scenario = {
  name: 'stray-pop',
  makes: 'stray-pop',
  plays: 'redis-py 4.5.4, scripted',
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
  const pool: WireClient[] = [];
  while (!stage.ending) {
    const wire = pool.pop() ?? (await stage.connect());
    for (let left = 4 + random() * 8; left > 0; left--) await process.receive(wire);
    await process.restore(wire);
    wire.send('BZPOPMIN', process.queue, 5);
    stage.background(
      wire.read().then((reply) => {
        const popped = poppedOf(reply);
        if (popped) process.blame(popped, 'stray-pop');
        pool.push(wire);
      }),
    );
  }
}
