import { describe, expect, it } from 'vitest';
import type { ScriptedTrace } from '../testing/scripted-trace.js';
import { ANNA, healthy, message, verdictOf } from '../testing/verdict-of.js';

/**
 * Connection 3 takes message 10 and closes before the reply to its backup; connection 4 restores at the same time, takes message 11, and its
 * acknowledgement takes out message 10. Then it takes message 11 again.
 */
function overtaken({ closedMs = 1014, again = true } = {}): ScriptedTrace {
  const trace = healthy();
  trace.groupSend(1000, 1, message(10));
  trace.groupSend(1002, 1, message(11));
  trace.poll(1010, 3, message(10));
  trace.backup(1013, 3, message(10), { tookMs: 6 });
  trace.disconnect(closedMs, 3);
  trace.restore(1015, 4, { tookMs: 2 });
  trace.poll(1018, 4, message(11));
  trace.backup(1021, 4, message(11));
  trace.acknowledge(1024, 4, message(10));
  trace.restore(1026, 4);
  trace.poll(1028, 4, message(11));
  if (!again) return trace;
  trace.backup(1030, 4, message(11));
  trace.acknowledge(1032, 4, message(11));
  return trace;
}

describe('backup-overtaken', () => {
  it('its backup came after the next restore, and another message’s acknowledgement took it out', () => {
    expect(verdictOf(overtaken(), 10)).toMatchObject({ verdict: 'lost', cause: 'backup-overtaken' });
  });

  it('innocent twin: the reply to the backup was read, so its receiver handed it on', () => {
    expect(verdictOf(overtaken({ closedMs: 1020 }), 10)).toMatchObject({ verdict: 'delivered' });
  });

  it('innocent twin: the restore put it back, and it was popped again', () => {
    const trace = healthy();
    trace.groupSend(1000, 1, message(10));
    trace.poll(1010, 3, message(10));
    trace.backup(1013, 3, message(10), { tookMs: 6 });
    trace.disconnect(1014, 3);
    trace.receive(1020, 4, message(10));
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'redelivered-late' });
  });

  it('innocent twin: everyone it was for had left', () => {
    const trace = overtaken();
    trace.leave(1005, 1, ANNA);
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'recipients-left' });
  });

  it('undecided: a hole may hide that it was put back and received again', () => {
    const trace = overtaken();
    trace.hole(1016, 1017);
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'indeterminate' });
  });
});

describe('acknowledged-another', () => {
  it('its acknowledgement took another message: it was processed twice', () => {
    expect(verdictOf(overtaken(), 11)).toMatchObject({
      verdict: 'duplicated',
      cause: 'acknowledged-another',
    });
  });

  it('innocent twin: popped again and lost that time, it had been processed all the same', () => {
    const trace = overtaken({ again: false });
    trace.disconnect(1029, 4);
    trace.groupSend(1040, 1, message(12));
    trace.receive(1050, 5, message(12));
    expect(verdictOf(trace, 11)).toMatchObject({ verdict: 'delivered' });
  });

  it('innocent twin: its first receiver was cancelled before it acknowledged: late, and once', () => {
    const trace = healthy();
    trace.groupSend(1002, 1, message(11));
    trace.poll(1018, 4, message(11));
    trace.backup(1021, 4, message(11));
    trace.disconnect(1022, 4);
    trace.receive(1026, 3, message(11));
    expect(verdictOf(trace, 11)).toMatchObject({ verdict: 'redelivered-late' });
  });
});
