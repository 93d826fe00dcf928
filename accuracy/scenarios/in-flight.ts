import { Sender } from '../consumer.js';
import { ScriptedProcess } from '../scripted-process.js';
import { Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/** The trace ends while messages wait in a queue: nobody can say yet that they are lost. */
export const inFlight: Scenario = {
  name: 'in-flight',
  plays: 'channels_redis 4.0, scripted',
  async play(stage) {
    const traffic = await Traffic.start(stage);
    const process = new ScriptedProcess(stage);
    const channel = await process.join(traffic.layer, 'room_a');
    const wire = await stage.connect();
    const receiving = process.receiveUntil(wire, () => stage.truth.wasProcessed('last/0', channel));
    await traffic.sent;
    await new Sender(stage, traffic.layer, 'last').say('room_a');
    await receiving;
    const sender = new Sender(stage, traffic.layer, 'waiting');
    for (let left = 4; left > 0; left--) await sender.say('room_a');
    await traffic.drained([channel]);
  },
};
