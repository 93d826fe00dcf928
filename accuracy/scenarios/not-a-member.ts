import { Sender } from '../consumer.js';
import { ScriptedProcess } from '../scripted-process.js';
import type { Stage } from '../stage.js';
import { Traffic } from '../traffic.js';
import type { Scenario } from './scenario.js';

/** A consumer is in the room, its client thinks, and Redis does not know: it joins a moment later, or its membership has expired. */
export const notAMember: Scenario = {
  name: 'not-a-member',
  makes: 'not-a-member',
  plays: 'our layer, with a group expiry of 1 s, or with a slow join',
  async play(stage) {
    const traffic = await Traffic.start(stage, { messages: 15 });
    if (stage.random('which')() < 0.5) await joinsLate(stage, traffic);
    else await expires(stage, traffic);
    await traffic.sent;
  },
};

async function joinsLate(stage: Stage, traffic: Traffic): Promise<void> {
  const process = new ScriptedProcess(stage);
  const sender = new Sender(stage, traffic.layer, 'early');
  const wire = await stage.connect();
  stage.background(process.receiveUntil(wire, () => stage.ending));
  for (let left = 3; left > 0; left--) {
    await sender.say('room_a');
    const channel = process.newChannel();
    await new Sender(stage, traffic.layer, `guest-${left}`, channel).say('room_a');
    const missed = await sender.say('room_a');
    await process.join(traffic.layer, 'room_a', channel);
    stage.truth.note({ event: 'blamed', message: missed, channel, cause: 'not-a-member' });
    await sender.say('room_a');
  }
  await traffic.drained();
}

async function expires(stage: Stage, traffic: Traffic): Promise<void> {
  const process = new ScriptedProcess(stage);
  const layer = stage.layer({ receive: 'reliable', groupExpiry: 1 });
  const sender = new Sender(stage, layer, 'late');
  const channel = await process.join(traffic.layer, 'room_c');
  const wire = await stage.connect();
  stage.background(process.receiveUntil(wire, () => stage.ending));
  await new Sender(stage, traffic.layer, 'guest', channel).say('room_a');
  await sender.say('room_c');
  await stage.sleep(2_100);
  for (let left = 3; left > 0; left--) process.blameAll([await sender.say('room_c')], 'not-a-member');
  await process.join(traffic.layer, 'room_c', channel);
  const last = await sender.say('room_c');
  await stage.truth.until(() => stage.truth.wasProcessed(last, channel), 'a message to the member again');
  await traffic.drained([channel]);
}
