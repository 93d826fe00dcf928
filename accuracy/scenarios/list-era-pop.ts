import { Sender } from '../consumer.js';
import { ListProcess } from '../list-process.js';
import type { Stage } from '../stage.js';
import { Traffic } from '../traffic.js';
import type { WireClient } from '../wire-client.js';
import type { Scenario } from './scenario.js';

/**
 * A process closes the connection on which it waits, while a message is on its way there: 2.2 has no copy of it. Beside it one that plays
 * 2.4 does the same, and finds the message in its backup.
 */
export const listEraPop: Scenario = {
  name: 'list-era-pop',
  makes: 'list-era-pop',
  plays: 'channels_redis 2.2, and 2.4 beside it, scripted, with latency',
  losesBy: ['list-era-pop'], // Redis may read the goodbye just when it has popped, and not even answer
  latencyUs: 2_000,
  async play(stage) {
    const traffic = await Traffic.start(stage, { messages: 15 });
    const channels = [
      ...(await receives(stage, false, 'blpop', 'room_22')),
      ...(await receives(stage, true, 'brpoplpush', 'room_24')),
    ];
    await traffic.sent;
    await traffic.drained(channels);
  },
};

async function receives(stage: Stage, backup: boolean, name: string, room: string): Promise<[string]> {
  const random = stage.random(name);
  const process = new ListProcess(stage, { backup });
  const sending = await stage.connect();
  const channel = await process.join(sending, room);
  const sender = new Sender(stage, process.speaksOver(sending), name, channel);
  let wire = await stage.connect();
  for (let left = 15; left > 0; left--) {
    await process.restore(wire);
    process.poll(wire);
    await stage.sleep(10);
    const said = sender.tell(channel);
    if (random() < 0.5) {
      await stage.sleep(1 + random() * 5); // later than the message, and mostly sooner than its reply
      await stage.settled();
      await closes(process, wire, backup);
      wire = await stage.connect();
    } else {
      const member = await process.take(wire);
      if (member) await process.finish(wire, member);
    }
    await said;
  }
  stage.background(process.receiveUntil(wire, () => stage.ending));
  const last = await sender.tell(channel);
  await stage.truth.until(() => stage.truth.wasProcessed(last), 'a message after all that');
  return [channel];
}

/** Says goodbye; what comes after that nobody processes. What came just before, it does. */
async function closes(process: ListProcess, wire: WireClient, backup: boolean): Promise<void> {
  if (wire.unread > 0) {
    const member = await process.take(wire);
    if (member) await process.finish(wire, member);
    wire.end();
    return;
  }
  wire.end();
  const late = await process.take(wire).catch(() => null); // the connection ended before anything came
  if (late && !backup) process.blame(late, 'list-era-pop');
}
