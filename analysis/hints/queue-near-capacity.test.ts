import { expect, it } from 'vitest';
import { integer, memberOf, QUEUE, ScriptedTrace } from '../testing/scripted-trace.js';
import { hintsIn } from './testing/hints-in.js';

const hints = (trace: ScriptedTrace) => hintsIn(trace, 'queue-near-capacity');

/** Into a queue that holds ten at most. */
function send(trace: ScriptedTrace, atMs: number, count: number): void {
  const args = ['EVAL', 'script', '1', QUEUE, memberOf('s', count), '10', String(atMs / 1000), '60'];
  trace.request(atMs, 1, args, integer(0));
}

function filled(n: number): ScriptedTrace {
  const trace = new ScriptedTrace();
  for (let i = 0; i < n; i++) send(trace, 100 + i * 10, i);
  for (let i = 0; i < n; i++) trace.receive(1000 + i * 20, 2, memberOf('s', i));
  return trace;
}

it('eight of ten, put there and not yet popped', () => {
  expect(hints(filled(8))).toMatchObject([
    {
      seen: expect.stringContaining('held 8 of at most 10 messages at +0.171000s (from the trace: put there'),
      operations: [{ role: 'enqueue', requested_us: 170_000 }],
    },
  ]);
});

it('what ZCOUNT answered', () => {
  const trace = filled(1);
  trace.request(500, 1, ['ZCOUNT', QUEUE, '-inf', '+inf'], integer(9));
  expect(hints(trace)).toMatchObject([
    { seen: expect.stringContaining('held 9 of at most 10 messages'), operations: [{ command: 'ZCOUNT' }] },
  ]);
});

it('innocent: seven of ten', () => {
  expect(hints(filled(7))).toEqual([]);
});

it('innocent: as many messages, each popped before the next', () => {
  const trace = new ScriptedTrace();
  for (let i = 0; i < 20; i++) {
    send(trace, 100 + i * 100, i);
    trace.receive(110 + i * 100, 2, memberOf('s', i));
  }
  expect(hints(trace)).toEqual([]);
});

it('innocent: emptied in between by somebody else, as an empty poll shows', () => {
  const trace = new ScriptedTrace();
  for (let i = 0; i < 5; i++) send(trace, 100 + i * 10, i);
  trace.poll(1000, 2, null);
  for (let i = 5; i < 10; i++) send(trace, 2000 + i * 10, i);
  expect(hints(trace)).toEqual([]);
});

it('innocent: a capacity that nothing says', () => {
  const trace = new ScriptedTrace();
  trace.request(100, 1, ['ZADD', QUEUE, '1', memberOf('s', 0)], integer(1));
  trace.request(500, 1, ['ZCOUNT', QUEUE, '-inf', '+inf'], integer(1_000_000));
  expect(hints(trace)).toEqual([]);
});
