import { Sender } from '../consumer.js';
import { ScriptedProcess } from '../scripted-process.js';
import { Traffic } from '../traffic.js';
import type { WireClient } from '../wire-client.js';
import type { Scenario } from './scenario.js';

/** Two processes were forked after their layer was made and share a queue: one takes what is for the other's consumers. */
export const wrongProcess: Scenario = {
  name: 'wrong-process',
  makes: 'wrong-process',
  plays: 'two processes of channels_redis 4.0, forked too late, scripted',
  async play(stage) {
    const traffic = await Traffic.start(stage, { messages: 15 });
    const one = new ScriptedProcess(stage);
    const other = new ScriptedProcess(stage, { name: one.name });
    const polling = [await stage.connect(), await stage.connect()] as const;
    const speaking = [await stage.connect(), await stage.connect()] as const;
    const layers = [one.speaksOver(speaking[0]), other.speaksOver(speaking[1])] as const;
    const mine = await one.join(layers[0], 'room_c');
    const theirs = await other.join(layers[1], 'room_d');
    for (const [n, process] of [one, other].entries())
      stage.background(
        (async () => {
          const [poll, rest] = [polling[n], speaking[n]] as [WireClient, WireClient];
          while (!stage.ending) {
            const popped = await process.pop(poll);
            (process === one ? other : one).blame(popped, 'wrong-process');
            await process.finish(rest, popped);
          }
        })(),
      );
    const random = stage.random('speaks');
    const senders = [
      new Sender(stage, layers[0], 'half-0', mine),
      new Sender(stage, layers[1], 'half-1', theirs),
    ];
    for (let left = 20; left > 0; left--) {
      const half = random() < 0.5 ? 0 : 1;
      await senders[half]?.say(half === 0 ? 'room_c' : 'room_d');
      await stage.sleep(10);
    }
    await traffic.sent;
    await traffic.drained([mine, theirs]);
  },
};
