import { Sender } from '../consumer.js';
import { ScriptedProcess } from '../scripted-process.js';
import type { Stage } from '../stage.js';
import { Traffic } from '../traffic.js';
import type { Said, WireClient } from '../wire-client.js';
import type { Scenario } from './scenario.js';

/**
 * Redis hangs for a moment, and the connection of a sender is killed before its enqueue is answered: it was done if Redis got to it first,
 * and then the message comes all the same; else it is gone. The sender sees the same error.
 */
export const sendUnconfirmed: Scenario = {
  name: 'send-unconfirmed',
  makes: 'send-unconfirmed',
  plays: 'channels_redis 4.0, scripted; Redis stopped, and CLIENT KILL on a connection past the proxy',
  async play(stage) {
    const random = stage.random('order');
    const traffic = await Traffic.start(stage);
    const process = new ScriptedProcess(stage);
    const channels = [
      await process.join(traffic.layer, 'room_c'),
      await process.join(traffic.layer, 'room_c'),
    ] as const;
    const wire = await stage.connect();
    stage.background(process.receiveUntil(wire, () => stage.ending));
    const healthy = new Sender(stage, traffic.layer, 'steady');
    for (let round = 0; round < 6; round++) {
      const sending = await stage.connect();
      const doneFirst = round > 0 && (round === 1 || random() < 0.5);
      const hung = { call: (...words: Words) => callWhileHung(stage, sending, doneFirst, words) };
      const message = await new Sender(stage, process.speaksOver(hung), `cut-${round}`).say('room_c');
      // A poll may have waited since before the connection was over, and says nothing of what came after that.
      for (let left = 2; left > 0; left--) {
        const next = await healthy.say('room_c');
        await stage.truth.until(() => stage.truth.wasProcessed(next, channels[1]), 'the message after it');
      }
      if (!stage.truth.wasProcessed(message)) process.blameAll([message], 'send-unconfirmed');
    }
    await traffic.sent;
    await traffic.drained(channels);
  },
};

type Words = readonly (string | number | Uint8Array)[];

/** Asks; an enqueue while Redis hangs, and somebody kills the connection: `doneFirst` says in which order Redis finds the two. */
async function callWhileHung(
  stage: Stage,
  wire: WireClient,
  doneFirst: boolean,
  words: Words,
): Promise<Said> {
  const [command] = words;
  if (command !== 'EVAL') return wire.call(...words);
  const id = Number(await wire.call('CLIENT', 'ID'));
  const direct = stage.direct();
  const { pid } = stage.redis;
  process.kill(pid, 'SIGSTOP');
  try {
    const steps = [() => wire.call(...words), () => direct.client('KILL', 'ID', id)] as const;
    const [first, second] = doneFirst ? steps : ([steps[1], steps[0]] as const);
    const asked: Promise<unknown>[] = [first()];
    await stage.sleep(5);
    asked.push(second());
    await stage.sleep(5);
    process.kill(pid, 'SIGCONT');
    const [enqueued] = (await Promise.allSettled(doneFirst ? asked : asked.reverse())) as [
      PromiseSettledResult<Said>,
    ];
    if (enqueued.status === 'rejected') throw enqueued.reason;
    return enqueued.value;
  } finally {
    process.kill(pid, 'SIGCONT');
  }
}
