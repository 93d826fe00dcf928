import { describe, expect, it } from 'vitest';
import { integer, QUEUE, type ScriptedTrace } from '../testing/scripted-trace.js';
import { ANNA, healthy, message, verdictOf } from '../testing/verdict-of.js';

/** Message 10 is popped and backed up on connection 3; then the process is gone. */
function killed(): ScriptedTrace {
  const trace = healthy();
  trace.groupSend(1000, 1, message(10));
  trace.poll(1010, 3, message(10));
  trace.backup(1013, 3, message(10));
  for (const connection of [2, 3]) trace.disconnect(1015, connection, 'client', 'reset');
  return trace;
}

describe('orphaned-in-flight', () => {
  it('backed up, and its process is gone for good', () => {
    const said = verdictOf(killed(), 10);
    expect(said).toMatchObject({ verdict: 'lost', cause: 'orphaned-in-flight' });
    expect(said.because).toContain('closed all 2 of its connections');
    expect(said.because).toContain(`${QUEUE}$inflight`);
  });

  it('innocent twin: the next receive step puts it back', () => {
    const trace = killed();
    trace.receive(1100, 4, message(10));
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'redelivered-late' });
  });

  it('innocent twin: it was acknowledged on another connection', () => {
    const trace = killed();
    trace.acknowledge(1014, 2, message(10));
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'delivered' });
  });

  it('innocent twin: a connection of the process is open', () => {
    const trace = killed();
    trace.receive(900, 4, message(3));
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'in-flight' });
  });

  it('innocent twin: Redis closed the connections, and the process may come back', () => {
    const trace = killed();
    trace.disconnect(1015, 2, 'redis');
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'in-flight' });
  });

  it('innocent twin: the trace ends before the next poll could have come', () => {
    const trace = killed();
    trace.watermarkUs = 4_000_000;
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'in-flight' });
  });

  it('innocent twin: the one it was for had left', () => {
    const trace = killed();
    trace.leave(1012, 1, ANNA);
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'recipients-left' });
  });

  it('undecided: somebody removed the backup', () => {
    const trace = killed();
    trace.request(1014, 7, ['DEL', `${QUEUE}$inflight`], integer(1));
    expect(verdictOf(trace, 10)).toMatchObject({
      verdict: 'indeterminate',
      alternatives: ['orphaned-in-flight', 'delivered'],
    });
  });
});

describe('the process that reads the queue was gone before it popped', () => {
  function gone(): ScriptedTrace {
    const trace = healthy();
    trace.groupSend(1000, 1, message(10));
    trace.disconnect(1005, 2);
    return trace;
  }

  it('accuses nobody: its recipients went with it, though they left no group', () => {
    const said = verdictOf(gone(), 10);
    expect(said).toMatchObject({ verdict: 'recipients-left', cause: null });
    expect(said.because).toContain('the process that reads its queue was gone before it popped it');
  });

  it('not so where it expired while the process lived', () => {
    const trace = healthy();
    trace.groupSend(400, 1, message(10));
    for (let at = 1; at < 62; at += 4) trace.restore(at * 1000, 2);
    trace.poll(61_000, 2, null, { tookMs: 500 });
    trace.disconnect(65_000, 2);
    trace.watermarkUs = 80_000_000;
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'expired', cause: 'queue-expired' });
  });

  it('nor where the trace ends before the next poll could have come', () => {
    const trace = gone();
    trace.watermarkUs = 4_000_000;
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'in-flight' });
  });
});
