import { expect, it } from 'vitest';
import { memberOf, ScriptedTrace } from '../testing/scripted-trace.js';
import { hintsIn } from './testing/hints-in.js';

const hints = (trace: ScriptedTrace) => hintsIn(trace, 'poll-timeout-disconnect');

/** A poll at 1 s, 5 s long at most, whose connection the client closes at `closedMs`. */
function closed(closedMs: number, timing: { tookMs?: number; noReply?: boolean } = { noReply: true }) {
  const trace = new ScriptedTrace();
  trace.groupSend(100, 1, memberOf('s', 0));
  trace.receive(110, 2, memberOf('s', 0));
  trace.poll(1000, 3, null, timing);
  trace.disconnect(closedMs, 3);
  return trace;
}

it.each([5990, 6000, 6100])('redis-py 8 closes after its 5 s, without a reply: at %d ms', (closedMs) => {
  expect(hints(closed(closedMs))).toMatchObject([
    {
      seen: expect.stringContaining('Once the client closed'),
      operations: [{ role: 'poll', command: 'BZPOPMIN' }],
    },
  ]);
});

it('the reply comes when the client has gone', () => {
  expect(hints(closed(6000, { tookMs: 5050 }))).toHaveLength(1);
});

it('many times is one hint with all of them', () => {
  const trace = closed(6000);
  trace.poll(10_000, 4, null, { noReply: true });
  trace.disconnect(15_000, 4);
  expect(hints(trace)).toMatchObject([
    { seen: expect.stringContaining('2 times'), operations: [{ connection: 3 }, { connection: 4 }] },
  ]);
});

it('innocent: closed at another time, as a cancelled consumer does', () => {
  expect(hints(closed(4000))).toEqual([]);
});

it('innocent: the poll had been answered', () => {
  expect(hints(closed(6000, { tookMs: 4990 }))).toEqual([]);
});

it('innocent: it brought a message all the same, which is for the verdict on that message', () => {
  const trace = closed(20_000);
  const message = memberOf('s', 1);
  trace.groupSend(30_900, 1, message);
  trace.poll(26_000, 5, message, { tookMs: 5001 });
  trace.disconnect(31_000, 5);
  expect(hints(trace)).toEqual([]);
});
