import { describe, expect, it } from 'vitest';
import { integer, QUEUE, type ScriptedTrace } from '../testing/scripted-trace.js';
import { healthy, message, verdictOf } from '../testing/verdict-of.js';

const S = 1000;

/** The process goes on with its receive steps, so that it is not stalled: it is only slow to come to this message. */
function busy(trace: ScriptedTrace, fromS: number, toS: number): void {
  for (let at = fromS; at < toS; at += 4) trace.restore(at * S, 2);
}

const trim = (trace: ScriptedTrace, atMs: number, upTo: number, removed: number) =>
  trace.request(atMs, 1, ['ZREMRANGEBYSCORE', QUEUE, '0', String(upTo)], integer(removed));

describe('message-expired', () => {
  /** Message 10 waits from 10 s on; message 11, of 50 s, is popped at 80 s. */
  function waiting(): ScriptedTrace {
    const trace = healthy();
    trace.groupSend(10 * S, 1, message(10));
    trace.groupSend(50 * S, 1, message(11));
    busy(trace, 1, 80);
    trace.receive(80 * S, 2, message(11));
    trace.watermarkUs = 82 * S * S;
    return trace;
  }

  it('the next send trimmed it as too old', () => {
    const trace = waiting();
    trim(trace, 75 * S, 15, 1);
    const said = verdictOf(trace, 10);
    expect(said).toMatchObject({ verdict: 'expired', cause: 'message-expired' });
    expect(said.because).toContain('it had waited for 65.0 s, and messages live for 60 s');
    expect(said.cites).toHaveLength(1);
    expect(trace.operation(said.cites[0]!.id)).toMatchObject({
      command: 'ZREMRANGEBYSCORE',
      requestedUs: 75 * S * S,
    });
  });

  it('the same in the MULTI of a group_send', () => {
    const trace = waiting();
    trace.transaction(75 * S, 1, [[['ZREMRANGEBYSCORE', QUEUE, '0', '15'], integer(1)]]);
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'expired', cause: 'message-expired' });
  });

  it('says so where the clock of the sender is behind', () => {
    const trace = waiting();
    trim(trace, 20 * S, 15, 1); // the trimmer believes it is 75 s
    expect(verdictOf(trace, 10).because).toContain(
      'it had waited for 10.0 s only, and messages live for 60 s: the clock of its sender is 55 s behind',
    );
  });

  it('innocent twin: the trim removed nothing', () => {
    const trace = waiting();
    trim(trace, 75 * S, 15, 0);
    expect(verdictOf(trace, 10).cause).toBe('removed-outside-trace');
  });

  it('innocent twin: the trim removed older ones only', () => {
    const trace = waiting();
    trim(trace, 69 * S, 9, 1);
    trace.receive(70 * S, 2, message(10));
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'delivered' });
  });

  it('undecided: a DEL may have come before the trim', () => {
    const trace = waiting();
    trim(trace, 75 * S, 15, 1);
    trace.request(75 * S, 7, ['DEL', QUEUE], integer(1), { tookMs: 5 });
    expect(verdictOf(trace, 10)).toMatchObject({
      verdict: 'indeterminate',
      alternatives: ['message-expired', 'removed-outside-trace'],
    });
  });
});

describe('queue-expired', () => {
  function silent(): ScriptedTrace {
    const trace = healthy();
    trace.groupSend(10 * S, 1, message(10)); // lives for 60 s
    busy(trace, 1, 72);
    trace.watermarkUs = 90 * S * S;
    return trace;
  }

  it('nobody sent for the time to live of the queue, and the next poll found nothing', () => {
    const trace = silent();
    trace.poll(75 * S, 2, null, { tookMs: 5000 });
    busy(trace, 80, 90);
    const said = verdictOf(trace, 10);
    expect(said).toMatchObject({ verdict: 'expired', cause: 'queue-expired' });
    expect(said.because).toContain('it ran out at about +70.0');
  });

  it('even where no poll shows it: Redis drops it', () => {
    const trace = silent();
    busy(trace, 72, 90);
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'expired', cause: 'queue-expired' });
  });

  it('innocent twin: another send set the time anew', () => {
    const trace = silent();
    trace.groupSend(40 * S, 1, message(11));
    busy(trace, 72, 90);
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'in-flight' });
  });

  it('innocent twin: received late, and before the time was over', () => {
    const trace = silent();
    trace.receive(69 * S, 2, message(10));
    busy(trace, 72, 90);
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'delivered' });
  });

  it('undecided: the poll that found nothing came when the time was just running out', () => {
    const trace = silent();
    trace.poll(70 * S - 10, 2, null, { tookMs: 5 });
    busy(trace, 72, 90);
    expect(verdictOf(trace, 10)).toMatchObject({
      verdict: 'indeterminate',
      alternatives: ['queue-expired', 'removed-outside-trace'],
    });
  });
});
