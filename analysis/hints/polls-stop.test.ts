import { expect, it } from 'vitest';
import { memberOf, PROCESS, ScriptedTrace } from '../testing/scripted-trace.js';
import { hintsIn } from './testing/hints-in.js';

const ANNA = `${PROCESS}a`;
const hints = (trace: ScriptedTrace) => hintsIn(trace, 'polls-stop');

/** Anna is there; her process receives until 1 s, and again at `resumedMs`, or never. A message comes at `sentMs`. */
function stalled(
  resumedMs: number | null,
  script: (trace: ScriptedTrace) => void = () => {},
  sentMs = 2000,
): ScriptedTrace {
  const trace = new ScriptedTrace();
  trace.join(1, 1, ANNA);
  trace.groupSend(900, 1, memberOf('s', 0));
  trace.receive(990, 2, memberOf('s', 0));
  trace.groupSend(sentMs, 1, memberOf('s', 1));
  script(trace);
  if (resumedMs !== null) trace.receive(resumedMs, 2, memberOf('s', 1));
  return trace;
}

it('no poll for longer than the timeout of 5 s while a message waits', () => {
  expect(hints(stalled(9000))).toMatchObject([
    {
      seen: expect.stringContaining('(8.0 s; its polls wait 5 s at most) while 1 message came and waited'),
      operations: [
        { role: 'last-receive', command: 'BZPOPMIN' },
        { role: 'enqueue' },
        { role: 'next-receive', command: 'EVAL' },
      ],
    },
  ]);
});

it('not polled again to the end of the trace', () => {
  const trace = stalled(null);
  expect(hints(trace)).toMatchObject([{ operations: [{ role: 'last-receive' }, { role: 'enqueue' }] }]);
});

it.each<[string, ScriptedTrace]>([
  ['polled again in time', stalled(6000)],
  [
    'a poll was outstanding all the time',
    stalled(9000, (trace) => trace.poll(1100, 3, null, { tookMs: 7800 })),
  ],
  ['the message came late in the pause', stalled(9000, () => {}, 8000)],
  ['its recipient has left', stalled(9000, (trace) => trace.leave(2500, 1, ANNA))],
  ['the process has ended', stalled(9000, (trace) => trace.disconnect(3000, 2))],
  ['a hole may hide the polls', stalled(9000, (trace) => trace.hole(3000, 4000))],
])('innocent: %s', (_, trace) => {
  expect(hints(trace)).toEqual([]);
});
