import { describe, expect, it } from 'vitest';
import { CutTrace } from '../testing/cut-trace.js';
import { integer, QUEUE, type ScriptedTrace } from '../testing/scripted-trace.js';
import { ANNA, healthy, message, unsentOf, verdictOf } from '../testing/verdict-of.js';

const S = 1000;

/** Fills the queue, of capacity 1000 as the script is told, and finds it full at 20 s. */
function refusedAt20s(trace: ScriptedTrace): ScriptedTrace {
  trace.groupSend(10 * S, 1, message(10));
  trace.groupSend(20 * S, 1, message(11), { full: 1 });
  return trace;
}

/** Message 10 waits from 10 s on, and a trim at 75 s takes it; the process polls again after that. */
function trimmedAt75s(trace: ScriptedTrace): ScriptedTrace {
  trace.groupSend(10 * S, 1, message(10));
  trace.groupSend(50 * S, 1, message(11));
  trace.request(75 * S, 1, ['ZREMRANGEBYSCORE', QUEUE, '0', '15'], integer(1));
  trace.receive(80 * S, 2, message(11));
  trace.watermarkUs = 81 * S * S;
  return trace;
}

/** A poll every five seconds that brings nothing. */
function idle(trace: ScriptedTrace, fromS: number, toS: number): void {
  for (let at = fromS; at < toS; at += 5) {
    trace.restore(at * S, 2);
    trace.poll(at * S + 2, 2, null, { tookMs: 4990 });
  }
}

describe('receiver-stalled', () => {
  it('a full queue that nobody polled for longer than a poll takes, though its process lived', () => {
    const said = verdictOf(refusedAt20s(healthy()), 11);
    expect(said).toMatchObject({ verdict: 'lost', cause: 'receiver-stalled' });
    expect(said.because).toContain('nobody polled the queue for 59.7 s after operation');
    expect(said.because).toContain('while connection 2 of the process that reads it stayed open');
  });

  it('comes before message-expired: the trim took what had waited for a receiver that did not come', () => {
    expect(verdictOf(trimmedAt75s(healthy()), 10)).toMatchObject({
      verdict: 'lost',
      cause: 'receiver-stalled',
    });
  });

  it('comes before queue-expired', () => {
    const trace = healthy();
    trace.groupSend(10 * S, 1, message(10));
    trace.restore(80 * S, 2);
    trace.poll(80 * S + 2, 2, null, { tookMs: 5 });
    trace.watermarkUs = 81 * S * S;
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'lost', cause: 'receiver-stalled' });
  });

  it('comes before the over-capacity of send', () => {
    const trace = healthy();
    trace.groupSend(10 * S, 1, message(10));
    trace.request(20 * S, 5, ['ZREMRANGEBYSCORE', QUEUE, '0', '1'], integer(0));
    trace.request(20 * S + 2, 5, ['ZCOUNT', QUEUE, '-inf', '+inf'], integer(1000));
    expect(unsentOf(trace)).toMatchObject([{ verdict: 'lost', cause: 'receiver-stalled' }]);
  });

  it('innocent twin: full, while the process polls: it only does not keep up', () => {
    const trace = healthy();
    trace.watermarkUs = 30 * S * S;
    for (let at = 1; at < 29; at++) trace.receive(at * S, 2, message(100 + at));
    expect(verdictOf(refusedAt20s(trace), 11)).toMatchObject({ verdict: 'rejected', cause: 'over-capacity' });
  });

  it('innocent twin: a poll is waiting all the while', () => {
    const trace = healthy();
    trace.poll(400, 2, null, { noReply: true });
    expect(verdictOf(refusedAt20s(trace), 11)).toMatchObject({ cause: 'over-capacity' });
  });

  it('innocent twin: the process is gone, and does not stall', () => {
    const trace = healthy();
    trace.disconnect(400, 2);
    expect(verdictOf(refusedAt20s(trace), 11)).toMatchObject({ cause: 'over-capacity' });
  });

  it('undecided: a hole may hide its polls, and so which of the two it was', () => {
    const trace = healthy();
    trace.hole(12 * S, 13 * S);
    expect(verdictOf(refusedAt20s(trace), 11)).toMatchObject({
      verdict: 'indeterminate',
      alternatives: ['receiver-stalled', 'over-capacity'],
    });
  });

  it('innocent twin: the silence is no longer than a poll and the work after it', () => {
    const trace = healthy();
    idle(trace, 1, 18);
    trace.watermarkUs = 24 * S * S;
    expect(verdictOf(refusedAt20s(trace), 11)).toMatchObject({ cause: 'over-capacity' });
  });

  it('innocent twin: everyone it was for has left, and nobody has to receive', () => {
    const trace = healthy();
    trace.leave(5 * S, 1, ANNA);
    expect(verdictOf(refusedAt20s(trace), 11).cause).not.toBe('receiver-stalled');
  });

  it('undecided: what waits in the queue of a stalled receiver when the trace ends may be received yet', () => {
    const trace = healthy();
    trace.groupSend(10 * S, 1, message(10));
    trace.watermarkUs = 40 * S * S;
    expect(verdictOf(trace, 10)).toMatchObject({
      verdict: 'indeterminate',
      alternatives: ['receiver-stalled', 'in-flight'],
    });
  });

  describe('the trace begins after the last poll: it may have stalled before', () => {
    const since12s = (trace: ScriptedTrace) =>
      new CutTrace(trace, [{ fromUs: 0, toUs: 12 * S * S, connection: null, direction: null }]);

    it('undecided, where its queue was full', () => {
      expect(verdictOf(since12s(refusedAt20s(healthy())), 11)).toMatchObject({
        verdict: 'indeterminate',
        alternatives: ['receiver-stalled', 'over-capacity'],
      });
    });

    it('undecided, where a send found it full', () => {
      const trace = healthy();
      trace.request(20 * S, 5, ['ZREMRANGEBYSCORE', QUEUE, '0', '1'], integer(0));
      trace.request(20 * S + 2, 5, ['ZCOUNT', QUEUE, '-inf', '+inf'], integer(1000));
      trace.groupSend(21 * S, 1, message(10));
      expect(unsentOf(since12s(trace))).toMatchObject([
        { verdict: 'indeterminate', alternatives: ['over-capacity', 'receiver-stalled'] },
      ]);
    });

    it('undecided, where a message still waits', () => {
      const trace = healthy();
      trace.groupSend(15 * S, 1, message(10));
      trace.watermarkUs = 40 * S * S;
      expect(verdictOf(since12s(trace), 10)).toMatchObject({
        verdict: 'indeterminate',
        alternatives: ['receiver-stalled', 'in-flight'],
      });
    });

    it('a poll seen since then is no stall', () => {
      const trace = healthy();
      trace.watermarkUs = 30 * S * S;
      for (let at = 1; at < 29; at++) trace.receive(at * S, 2, message(100 + at));
      expect(verdictOf(since12s(refusedAt20s(trace)), 11)).toMatchObject({ cause: 'over-capacity' });
    });
  });
});
