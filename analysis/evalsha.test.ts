import { describe, expect, it } from 'vitest';
import type { Reply } from '../proxy/trace/trace.js';
import { Evidence } from './evidence.js';
import { Judge } from './judge.js';
import { PROCESS, ScriptedTrace } from './testing/scripted-trace.js';
import { healthy, message } from './testing/verdict-of.js';

// A client may send a script's text (EVAL), its hash (EVALSHA), or its hash first and, where Redis does not know it (NOSCRIPT), its text.
// redis-py's register_script does the last. What became of a message does not depend on it.

const SHA = '2c6a1f0b7f1d6d7d6c2b8a7d1e5f4c3b2a190807';
const NOSCRIPT: Reply = { kind: 'error', text: 'NOSCRIPT No matching script. Please use EVAL.' };

type Request = Parameters<ScriptedTrace['request']>;

/** How an EVAL is sent. */
type Script = (send: (...request: Request) => number, ...request: Request) => number;

class Scripts extends ScriptedTrace {
  readonly #script: Script;

  constructor(script: Script) {
    super();
    this.#script = script;
  }

  override request(...request: Request): number {
    const send = (...args: Request): number => super.request(...args);
    return request[2][0] === 'EVAL' ? this.#script(send, ...request) : send(...request);
  }
}

const WAYS = {
  'by EVALSHA': () =>
    new Scripts((send, atMs, connection, args, reply, timing) =>
      send(atMs, connection, ['EVALSHA', SHA, ...args.slice(2)], reply, timing),
    ),
  'by EVALSHA, NOSCRIPT, and EVAL of the same': () =>
    new Scripts((send, atMs, connection, args, reply, timing) => {
      send(atMs, connection, ['EVALSHA', SHA, ...args.slice(2)], NOSCRIPT, { tookMs: 0.1 });
      return send(atMs + 0.2, connection, args, reply, timing);
    }),
} as const;

const LOST = message(10);

/** What happens to the message after three in good health; and its verdict. */
const STORIES: readonly (readonly [name: string, verdict: string, story: (trace: ScriptedTrace) => void])[] =
  [
    [
      'popped by one that disconnects',
      'lost',
      (trace) => {
        trace.groupSend(1000, 1, LOST);
        trace.restore(1005, 3);
        trace.poll(1010, 3, LOST);
        trace.disconnect(1015, 3);
        trace.restore(1020, 2);
        trace.poll(1022, 2, null);
      },
    ],
    [
      'popped and backed up, put back by the cleanup script, and popped again',
      'redelivered-late',
      (trace) => {
        trace.groupSend(1000, 1, LOST);
        trace.restore(1005, 3);
        trace.poll(1010, 3, LOST);
        trace.backup(1012, 3, LOST);
        trace.disconnect(1015, 3);
        trace.receive(9000, 2, LOST);
      },
    ],
    [
      'its queue is full',
      'rejected',
      (trace) => {
        trace.groupSend(1000, 1, LOST, { full: 1 });
        trace.restore(1020, 2);
        trace.poll(1022, 2, null);
      },
    ],
    [
      'delivered',
      'delivered',
      (trace) => {
        trace.groupSend(1000, 1, LOST);
        trace.receive(1010, 2, LOST);
      },
    ],
    [
      'taken by one script',
      'delivered',
      (trace) => {
        trace.groupSend(1000, 1, LOST);
        trace.take(1010, 2, [LOST]);
        trace.request(1020, 2, ['ZREM', `chat${PROCESS}$inflight`, LOST], { kind: 'integer', value: 1n });
      },
    ],
    [
      'in its queue',
      'in-flight',
      (trace) => {
        trace.groupSend(59_999, 1, LOST);
      },
    ],
  ];

/** The verdicts on all messages. */
function verdicts(trace: ScriptedTrace, story: (trace: ScriptedTrace) => void) {
  healthy(trace);
  story(trace);
  return new Judge(new Evidence(trace))
    .all()
    .map(({ payload, queue, verdict, cause, alternatives, present }) => ({
      ...{ count: payload.count, queue, verdict, cause, alternatives, present },
    }));
}

describe.each(STORIES)('%s', (_, verdict, story) => {
  const byEval = verdicts(new ScriptedTrace(), story);

  it('by EVAL', () => {
    expect(byEval.map((one) => [one.count, one.verdict])).toEqual([
      ...[0, 1, 2].map((count) => [count, 'delivered']),
      [10, verdict],
    ]);
  });

  it.each(Object.entries(WAYS))('%s: the same', (_way, trace) => {
    expect(verdicts(trace(), story)).toEqual(byEval);
  });
});

it('NOSCRIPT and nothing after it: refused, and said so', () => {
  const trace = healthy();
  trace.request(1000, 1, ['EVALSHA', SHA, '1', `chat${PROCESS}`, LOST, '9', '1', '60'], NOSCRIPT);
  const judged = new Judge(new Evidence(trace)).all().at(-1);
  expect(judged).toMatchObject({ verdict: 'rejected', cause: 'rejected' });
});
