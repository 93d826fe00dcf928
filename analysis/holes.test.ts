import { describe, expect, it } from 'vitest';
import { Evidence } from './evidence.js';
import { Judge } from './judge.js';
import {
  array,
  bulk,
  GROUP,
  memberOf,
  nil,
  PROCESS,
  QUEUE,
  ScriptedTrace,
} from './testing/scripted-trace.js';

// What a hole may hide, beyond the operations on the message's own queue. Each was found by cutting holes at random
// (properties.test.ts), and accused somebody wrongly, or of the wrong thing.

const ANNA = `${PROCESS}anna`;
const message = memberOf('s', 10, [ANNA]);
const next = memberOf('s', 11, [ANNA]);

/** Anna is a member; three messages in good health, on connection 2. */
function healthy(): ScriptedTrace {
  const trace = new ScriptedTrace();
  trace.join(1, 1, ANNA);
  for (const [i, at] of [100, 200, 300].entries()) {
    trace.groupSend(at, 1, memberOf('s', i, [ANNA]));
    trace.receive(at + 10, 2, memberOf('s', i, [ANNA]));
  }
  return trace;
}

function members(trace: ScriptedTrace, atMs: number): void {
  trace.request(atMs, 1, ['ZRANGE', GROUP, '0', '-1'], array(bulk(ANNA)));
}

/** Sent to Anna at 1000 ms, lost with connection 3 at 1015 ms. */
function lost(trace: ScriptedTrace, openedMs = 1005): ScriptedTrace {
  members(trace, 998);
  trace.groupSend(1000, 1, message);
  trace.connect(openedMs, 3);
  trace.poll(1010, 3, message);
  trace.disconnect(1015, 3);
  trace.groupSend(1018, 1, next);
  trace.receive(1020, 2, next);
  return trace;
}

function verdictOf(trace: ScriptedTrace) {
  const judged = new Judge(new Evidence(trace)).all().find(({ payload }) => payload.count === 10);
  const { verdict, cause, alternatives } = judged!;
  return { verdict, cause, alternatives };
}

describe('who was there', () => {
  it('undecided: a hole after its group was read may hide that everyone left', () => {
    const trace = lost(healthy());
    trace.hole(1001, 1008);
    expect(verdictOf(trace)).toMatchObject({
      verdict: 'indeterminate',
      alternatives: ['lost', 'recipients-left'],
    });
  });

  it('a hole before its group was read hides nothing: Anna was a member then', () => {
    const trace = lost(healthy());
    trace.hole(500, 997);
    expect(verdictOf(trace)).toMatchObject({ verdict: 'lost', cause: 'popped-then-disconnected' });
  });

  it('nor does one in replies: requests say who comes and goes', () => {
    const trace = lost(healthy());
    trace.hole(1001, 1008, { direction: 'redis', connection: 77 });
    expect(verdictOf(trace)).toMatchObject({ verdict: 'lost' });
  });

  it('who left before the group was read, and is in it, has come back: the join is in the hole', () => {
    const trace = healthy();
    trace.leave(500, 1, ANNA);
    trace.hole(600, 700);
    expect(verdictOf(lost(trace))).toMatchObject({ verdict: 'lost', cause: 'popped-then-disconnected' });
  });
});

describe('in the backup at the end', () => {
  const backedUp = (trace: ScriptedTrace): ScriptedTrace => {
    members(trace, 998);
    trace.groupSend(1000, 1, message);
    trace.poll(1010, 2, message);
    trace.backup(1013, 2, message);
    trace.watermarkUs = 1_020_000;
    return trace;
  };

  it('undecided: a hole between the roll call and its pop may hide that everyone left', () => {
    const trace = backedUp(healthy());
    trace.hole(1001, 1008);
    expect(verdictOf(trace)).toMatchObject({
      verdict: 'indeterminate',
      alternatives: ['in-flight', 'orphaned-in-flight', 'recipients-left'],
    });
  });

  it('in flight: a hole before its group was read hides nobody', () => {
    const trace = backedUp(healthy());
    trace.hole(900, 950);
    expect(verdictOf(trace)).toMatchObject({ verdict: 'in-flight' });
  });
});

describe('acknowledged?', () => {
  it('undecided: the reply of the acknowledgement is in a hole, and may have named another message', () => {
    const trace = healthy();
    trace.groupSend(1000, 1, message);
    trace.poll(1010, 2, message);
    trace.backup(1015, 2, message);
    trace.request(1020, 2, ['ZPOPMIN', `${QUEUE}$inflight`], null, { noReply: true });
    expect(verdictOf(trace)).toMatchObject({ verdict: 'delivered' });
    trace.hole(1018, 1025, { direction: 'redis', connection: 2 });
    expect(verdictOf(trace)).toMatchObject({ verdict: 'indeterminate' });
  });
});

describe('still in its queue?', () => {
  it('undecided: put back, but its enqueue is missing, and with it its place in the queue', () => {
    const trace = healthy();
    trace.poll(1010, 3, message);
    trace.backup(1015, 3, message);
    trace.restore(1020, 2);
    expect(verdictOf(trace)).toMatchObject({ verdict: 'indeterminate' });
  });

  it('undecided: what came after it may have been sent in a hole before it was put back', () => {
    const trace = healthy();
    trace.groupSend(1000, 1, message);
    trace.poll(1010, 3, message);
    trace.backup(1015, 3, message);
    trace.hole(1016, 1018);
    trace.restore(1020, 2);
    expect(verdictOf(trace)).toMatchObject({ verdict: 'indeterminate' });
  });
});

describe('refused?', () => {
  it('undecided: a hole soon after may hide that the same was sent again', () => {
    const trace = healthy();
    const script = ['EVALSHA', 'f00d', '1', QUEUE, message, '1000', '1', '60'];
    trace.request(1000, 1, script, { kind: 'error', text: 'NOSCRIPT No matching script' });
    expect(verdictOf(trace)).toMatchObject({ verdict: 'rejected', cause: 'rejected' });
    trace.hole(1001, 1005);
    expect(verdictOf(trace)).toMatchObject({ verdict: 'indeterminate', cause: null });
  });
});

describe('which of the causes of a pop', () => {
  /** Connection 3 takes a message whose reply is late, and goes on: out of step. Then it takes `message`, and closes. */
  function outOfStep(trace: ScriptedTrace): ScriptedTrace {
    trace.groupSend(905, 1, memberOf('s', 9, [ANNA]));
    trace.poll(910, 3, memberOf('s', 9, [ANNA]), { flushMs: 6 });
    return lost(trace, 900);
  }

  it('undecided: the request that put the connection out of step may be in a hole before the pop', () => {
    const seen = outOfStep(healthy());
    seen.request(914, 3, ['PING'], nil);
    expect(verdictOf(seen)).toMatchObject({ cause: 'reply-desync' });
    const hidden = outOfStep(healthy());
    hidden.hole(912, 916, { connection: 3 });
    expect(verdictOf(hidden)).toMatchObject({
      verdict: 'indeterminate',
      alternatives: expect.arrayContaining(['reply-desync', 'popped-then-disconnected']),
    });
  });

  it('a hole before a whole receive cycle on that connection hides nothing: it was in step after it', () => {
    const trace = healthy();
    trace.hole(860, 870, { connection: 3 });
    trace.groupSend(900, 1, memberOf('s', 9, [ANNA]));
    trace.receive(905, 3, memberOf('s', 9, [ANNA]));
    const { verdict, cause } = verdictOf(lost(trace, 850));
    expect({ verdict, cause }).toEqual({ verdict: 'lost', cause: 'popped-then-disconnected' });
  });
});
