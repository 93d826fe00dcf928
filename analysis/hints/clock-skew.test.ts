import { expect, it } from 'vitest';
import { integer, memberOf, QUEUE, ScriptedTrace } from '../testing/scripted-trace.js';
import { hintsIn } from './testing/hints-in.js';

const hints = (trace: ScriptedTrace) => hintsIn(trace, 'clock-skew');

/** A sender whose clock is this much ahead of the recorder's; `lateS`: the request went out so long after it was scored. */
function send(trace: ScriptedTrace, atMs: number, connection: number, aheadS: number, lateS = 0): void {
  const score = trace.startedUnixUs / 1e6 + atMs / 1000 + aheadS - lateS;
  const args = ['EVAL', 'script', '1', QUEUE, memberOf(`${connection}`, atMs), '1000', String(score), '60'];
  trace.request(atMs, connection, args, integer(0));
}

it('two senders whose clocks are apart', () => {
  const trace = new ScriptedTrace();
  send(trace, 100, 1, 0);
  send(trace, 200, 2, -95);
  send(trace, 300, 3, 0.2);
  const [hint] = hints(trace);
  expect(hint?.seen).toContain('connection 2 95.0 s behind the recorder');
  expect(hint?.seen).toContain('connections 1, 3 ');
  expect(hint?.operations).toMatchObject([{ connection: 2 }, { connection: 1 }]);
});

it('innocent: all of them differ from the recorder by the same', () => {
  const trace = new ScriptedTrace();
  send(trace, 100, 1, -95);
  send(trace, 200, 2, -95.2);
  expect(hints(trace)).toEqual([]);
});

it('innocent: a sender that is late now and then, as others of its messages show', () => {
  const trace = new ScriptedTrace();
  send(trace, 100, 1, 0);
  send(trace, 200, 2, 0, 3);
  send(trace, 300, 2, 0);
  expect(hints(trace)).toEqual([]);
});
