import { Sender } from '../consumer.js';
import { ScriptedProcess } from '../scripted-process.js';
import { Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/** A process dies between backing a message up and handing it on: it stays in the backup, which nobody will ever read. */
export const orphanedInFlight: Scenario = {
  name: 'orphaned-in-flight',
  makes: 'orphaned-in-flight',
  plays: 'channels_redis 4.0 with polls of 1 s, scripted',
  async play(stage) {
    const traffic = await Traffic.start(stage);
    const process = new ScriptedProcess(stage, { pollSeconds: 1 });
    const sender = new Sender(stage, traffic.layer, 'before');
    const channels: string[] = [];
    for (let left = 2; left > 0; left--) channels.push(await process.join(traffic.layer, 'room_c'));
    const wire = await stage.connect();
    for (let left = 6; left > 0; left--) {
      await sender.say('room_c');
      await process.receive(wire);
    }
    await sender.say('room_c');
    const popped = await process.pop(wire);
    await process.backUp(wire, popped);
    process.blame(popped, 'orphaned-in-flight');
    wire.destroy();
    await stage.sleep(2_200); // longer than a process that lives would wait before it asks again
    await traffic.sent;
    await traffic.drained(channels);
  },
};
