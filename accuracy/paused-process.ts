/**
 * A process that has read its queue for a while and then pauses, beside healthy traffic, on a layer whose messages live for one second:
 * where scenarios of what expires begin.
 */
import { Sender } from './consumer.js';
import { ScriptedProcess } from './scripted-process.js';
import type { Stage } from './stage.js';
import { Traffic } from './traffic.js';
import type { WireClient } from './wire-client.js';

export interface Paused {
  readonly traffic: Traffic;
  readonly process: ScriptedProcess;
  readonly sender: Sender;
  readonly channel: string;
  /** What the process receives on. */
  readonly wire: WireClient;
}

export async function pausedProcess(stage: Stage): Promise<Paused> {
  const traffic = await Traffic.start(stage, { messages: 15 });
  const process = new ScriptedProcess(stage);
  const sender = new Sender(stage, stage.layer({ receive: 'reliable', expiry: 1 }), 'slow');
  const channel = await process.join(traffic.layer, 'room_c');
  const wire = await stage.connect();
  for (let left = 4; left > 0; left--) {
    const message = await sender.say('room_c');
    await process.receiveUntil(wire, () => stage.truth.wasProcessed(message, channel));
  }
  return { traffic, process, sender, channel, wire };
}
