import { beforeEach, describe, expect, it } from 'vitest';
import type { GapReport } from '../clients/gap-report.js';
import { analyze } from './analyze.js';
import { PendingGaps } from './pending-gaps.js';
import { memberOf, ScriptedTrace } from './testing/scripted-trace.js';
import { exitStatusOf } from './verdict.js';

const SECOND = 1_000_000;
const PATIENCE_US = 5 * SECOND;

let trace: ScriptedTrace;
let pending: PendingGaps;
beforeEach(() => {
  pending = new PendingGaps(PATIENCE_US);
  trace = new ScriptedTrace();
  for (const count of [0, 1]) {
    trace.groupSend(count * 100 + 1, 1, memberOf('s', count));
    trace.receive(count * 100 + 10, 2, memberOf('s', count));
  }
  trace.groupSend(301, 1, memberOf('s', 3));
  trace.receive(310, 2, memberOf('s', 3));
});

/** Message 2 is popped on connection 3; the queue has not gone on. */
function popped(): void {
  trace.groupSend(401, 1, memberOf('s', 2));
  trace.poll(410, 3, memberOf('s', 2));
  trace.disconnect(415, 3);
}

const gap = (count: number, more: Partial<GapReport> = {}): GapReport => ({
  ...{
    client: 'c',
    room: 'r',
    sender: 's',
    expected: count,
    received: count + 1,
    missing: [count],
    at: null,
  },
  ...more,
});
const received = (count: number, client = 'c') => ({ client, room: 'r', sender: 's', count, at: null });

/** What is answered when the trace has come so far, at a moment (the same by default). */
function answered(
  watermarkUs: number,
  { nowUs = watermarkUs, traceEnded = false, inputEnded = false } = {},
): string[] {
  trace.watermarkUs = watermarkUs;
  const analysis = analyze(trace, { ask: 'gaps', log: pending.questions(), following: true });
  return pending
    .settle(analysis, { nowUs, watermarkUs, traceEnded, inputEnded })
    .map(({ count, verdict, cause }) => `${count} ${cause ?? verdict}`);
}

describe('a message that was popped', () => {
  beforeEach(popped);

  it('is answered once the queue has gone on without it, and once only', () => {
    pending.ask(gap(2), 0.42 * SECOND);
    expect(answered(0.43 * SECOND)).toEqual([]);
    trace.restore(440, 2);
    expect(answered(0.45 * SECOND)).toEqual(['2 popped-then-disconnected']);
    expect(pending.size).toBe(0);
    expect(answered(0.5 * SECOND)).toEqual([]);
  });

  it('is answered as far as it is known when patience ends', () => {
    pending.ask(gap(2), 0.42 * SECOND);
    expect(pending.dueUs()).toBe(0.42 * SECOND + PATIENCE_US);
    expect(answered(0.43 * SECOND, { nowUs: 5.41 * SECOND })).toEqual([]);
    expect(answered(0.43 * SECOND, { nowUs: 5.42 * SECOND })).toEqual(['2 in-flight']);
  });

  it('innocent: backed up and received after the report came in', () => {
    pending.ask(gap(2), 0.42 * SECOND);
    expect(answered(0.43 * SECOND)).toEqual([]);
    trace.backup(430, 4, memberOf('s', 2));
    trace.restore(440, 2);
    trace.poll(442, 2, memberOf('s', 2));
    trace.backup(445, 2, memberOf('s', 2));
    trace.acknowledge(448, 2, memberOf('s', 2));
    expect(answered(0.45 * SECOND)).toEqual(['2 redelivered-late']);
  });

  it('is not answered before the trace has reached the moment of the report', () => {
    trace.restore(440, 2);
    pending.ask(gap(2), 0.6 * SECOND);
    expect(answered(0.5 * SECOND, { nowUs: 0.7 * SECOND })).toEqual([]);
    expect(answered(0.6 * SECOND)).toEqual(['2 popped-then-disconnected']);
  });

  it('is answered at once where nothing is recorded any more', () => {
    pending.ask(gap(2), 0.6 * SECOND);
    expect(answered(0.5 * SECOND, { nowUs: 0.6 * SECOND, traceEnded: true })).toEqual(['2 in-flight']);
  });
});

describe('what may still change waits for patience to end', () => {
  it('no operation carries it: it may have been sent late', () => {
    pending.ask(gap(2), 0.4 * SECOND);
    expect(answered(1 * SECOND)).toEqual([]);
    expect(answered(5.4 * SECOND)).toEqual(['2 never-sent']);
  });

  it('innocent: it was sent late', () => {
    pending.ask(gap(2), 0.4 * SECOND);
    expect(answered(1 * SECOND)).toEqual([]);
    trace.groupSend(2000, 1, memberOf('s', 2));
    trace.receive(2010, 2, memberOf('s', 2));
    pending.came(received(2));
    expect(pending.size).toBe(0);
    expect(exitStatusOf(pending.answers())).toBe(0);
  });

  it.each([false, true])('delivered: the client may receive it yet (trace ended: %s)', (traceEnded) => {
    pending.ask(gap(1), 0.4 * SECOND);
    expect(answered(1 * SECOND, { traceEnded })).toEqual([]);
    expect(answered(1 * SECOND, { traceEnded, nowUs: 5.4 * SECOND })).toEqual(['1 lost-after-redis']);
  });

  it('nothing waits where neither trace nor reports go on', () => {
    pending.ask(gap(1), 0.4 * SECOND);
    pending.ask(gap(2), 0.4 * SECOND);
    const ended = { nowUs: 0.4 * SECOND, traceEnded: true, inputEnded: true };
    expect(answered(0.4 * SECOND, ended)).toEqual(['1 lost-after-redis', '2 never-sent']);
  });

  it('a sender that the trace does not know is undecided, not refused', () => {
    pending.ask(gap(2, { sender: 'stranger' }), 0.4 * SECOND);
    expect(answered(1 * SECOND)).toEqual([]);
    expect(answered(5.4 * SECOND)).toEqual(['2 indeterminate']);
  });
});

describe('reports', () => {
  const reporters = () => pending.questions().gaps.map(({ client }) => client);

  it('the same from one client twice is one question', () => {
    for (let twice = 0; twice < 2; twice++) pending.ask(gap(2), 0.4 * SECOND);
    expect(reporters()).toEqual(['c']);
  });

  it('from two clients: one question, which one of them may take back', () => {
    for (const client of ['c', 'd']) pending.ask(gap(2, { client }), 0.4 * SECOND);
    expect(reporters()).toEqual(['c', 'd']);
    expect(pending.size).toBe(1);
    pending.came(received(2));
    expect(reporters()).toEqual(['d']);
    pending.came(received(2, 'd'));
    expect(pending.size).toBe(0);
    expect(pending.cameLate).toBe(2);
  });

  it('of another client after the answer: answered again, for both; counted once', () => {
    popped();
    trace.restore(440, 2);
    pending.ask(gap(2), 0.42 * SECOND);
    expect(answered(0.5 * SECOND)).toEqual(['2 popped-then-disconnected']);
    pending.ask(gap(2), 0.6 * SECOND);
    expect(pending.size).toBe(0);
    pending.ask(gap(2, { client: 'd' }), 0.6 * SECOND);
    expect(reporters()).toEqual(['c', 'd']);
    expect(answered(0.7 * SECOND)).toEqual(['2 popped-then-disconnected']);
    expect(pending.answers()).toEqual([{ verdict: 'lost', cause: 'popped-then-disconnected' }]);
  });

  it('of several counts are several questions', () => {
    pending.ask(gap(4, { received: 7, missing: [4, 5, 6] }), 0.4 * SECOND);
    expect(pending.size).toBe(3);
    expect(pending.questions().gaps.map(({ missing }) => missing)).toEqual([[4], [5], [6]]);
  });
});
