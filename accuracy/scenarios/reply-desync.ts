import { poppedOf, ScriptedProcess } from '../scripted-process.js';
import type { Stage } from '../stage.js';
import { ROOMS, Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/**
 * redis-py 4.5.3 leaves the reply of a cancelled command unread: the connection goes back to the pool, the next caller gets it and reads
 * the reply before its own, until something goes wrong and it is closed.
 */
export const replyDesync: Scenario = {
  name: 'reply-desync',
  plays: 'redis-py 4.5.3, scripted',
  losesBy: ['reply-desync'],
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
    for (let left = 5 + random() * 8; left > 0; left--) await process.receive(wire);
    await process.restore(wire);
    wire.send('BZPOPMIN', process.queue, 5); // cancelled: nobody reads its reply
    await stage.sleep(1 + random() * 5);
    await stage.settled();
    if (wire.unread > 0) {
      // Whoever takes a connection out of the pool closes it when something is there to be read already.
      const popped = poppedOf(await wire.read());
      if (popped) process.blame(popped, 'popped-then-disconnected');
    } else
      for (let left = 1 + Math.floor(random() * 2); left > 0; left--) {
        await process.restore(wire); // reads the message, which is no answer to it
        await process.poll(wire); // reads the restore's nil: nothing there, once more
      }
    wire.destroy();
  }
}
