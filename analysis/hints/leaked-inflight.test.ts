import { expect, it } from 'vitest';
import { memberOf, nil, QUEUE, ScriptedTrace } from '../testing/scripted-trace.js';
import { hintsIn } from './testing/hints-in.js';

const hints = (trace: ScriptedTrace) => hintsIn(trace, 'leaked-inflight');
const message = memberOf('s', 0);

/** Popped and backed up at 1 s; then nothing but what `script` says. */
function backedUp(script: (trace: ScriptedTrace) => void = () => {}): ScriptedTrace {
  const trace = new ScriptedTrace();
  trace.groupSend(990, 1, message);
  trace.poll(1000, 2, message);
  trace.backup(1003, 2, message);
  script(trace);
  return trace;
}

it('backed up, and nothing after', () => {
  expect(hints(backedUp())).toMatchObject([
    {
      seen: expect.stringContaining(`1 message stays in ${QUEUE}$inflight`),
      operations: [{ role: 'backup', command: 'ZADD' }],
    },
  ]);
});

it('soon before the end of the trace, but the process is gone', () => {
  const trace = backedUp((script) => script.disconnect(1500, 2));
  trace.watermarkUs = 2_000_000;
  expect(hints(trace)).toHaveLength(1);
});

it.each<[string, (trace: ScriptedTrace) => void]>([
  ['acknowledged', (trace) => trace.acknowledge(1006, 2, message)],
  [
    'an acknowledgement whose reply is not known',
    (trace) => trace.request(1006, 3, ['ZPOPMIN', `${QUEUE}$inflight`], nil, { noReply: true }),
  ],
  ['put back by a later receive step', (trace) => trace.restore(8000, 3)],
  ['a hole may hide either', (trace) => trace.hole(1100, 1200)],
  [
    'the trace ends first',
    (trace) => {
      trace.watermarkUs = 1_200_000;
    },
  ],
])('innocent: %s', (_, script) => {
  expect(hints(backedUp(script))).toEqual([]);
});
