import { describe, expect, it } from 'vitest';
import { analyze } from './analyze.js';
import { Evidence } from './evidence.js';
import { Judge } from './judge.js';
import {
  array,
  bulk,
  GROUP,
  integer,
  memberOf,
  PROCESS,
  QUEUE,
  ScriptedTrace,
} from './testing/scripted-trace.js';

const ANNA = `${PROCESS}anna`;
const BERT = `${PROCESS}bert`;

/** Anna and Bert join, and a queue in good health: three messages pop, are backed up and acknowledged. */
function healthy(): ScriptedTrace {
  const trace = new ScriptedTrace();
  trace.join(1, 1, ANNA);
  trace.join(2, 1, BERT);
  for (const [i, at] of [100, 200, 300].entries()) {
    const member = memberOf('s', i, [ANNA, BERT]);
    trace.groupSend(at, 1, member);
    trace.receive(at + 10, 2, member);
  }
  return trace;
}

const lost = memberOf('s', 10, [ANNA, BERT]);

/** Connection 3 takes `lost`; the next receive step, on connection 2, goes on without it. */
function popped(trace: ScriptedTrace): ScriptedTrace {
  trace.groupSend(1000, 1, lost);
  trace.restore(1005, 3);
  trace.poll(1010, 3, lost);
  trace.receive(1020, 2, sendTo(trace, 1003, 11));
  return trace;
}

function sendTo(trace: ScriptedTrace, atMs: number, count: number): Buffer {
  const member = memberOf('s', count, [ANNA, BERT]);
  trace.groupSend(atMs, 1, member);
  return member;
}

function verdictOf(trace: ScriptedTrace, count = 10) {
  const judged = new Judge(new Evidence(trace)).all().filter(({ payload }) => payload.count === count);
  expect(judged).toHaveLength(1);
  const { verdict, cause, because, alternatives } = judged[0]!;
  return { verdict, cause, because, alternatives };
}

describe('popped-then-disconnected', () => {
  it.each(['fin', 'reset'] as const)(
    'the client closes (%s) after the reply and before the next receive step',
    (how) => {
      const trace = popped(healthy());
      trace.disconnect(1015, 3, 'client', how);
      expect(verdictOf(trace)).toMatchObject({ verdict: 'lost', cause: 'popped-then-disconnected' });
    },
  );

  it('the client had closed before the reply was read: Redis popped for nobody', () => {
    const trace = popped(healthy());
    trace.disconnect(1010.5, 3);
    expect(verdictOf(trace)).toMatchObject({ verdict: 'lost', cause: 'popped-then-disconnected' });
  });

  it('a close that overlaps the next receive step counts: across connections the order is not known', () => {
    const trace = popped(healthy());
    trace.disconnect(1020.5, 3);
    expect(verdictOf(trace)).toMatchObject({ verdict: 'lost', cause: 'popped-then-disconnected' });
  });

  it('innocent: the backup went out on another connection before the pool closed this one', () => {
    const trace = popped(healthy());
    trace.backup(1013, 4, lost);
    trace.acknowledge(1016, 4, lost);
    trace.disconnect(1015, 3);
    expect(verdictOf(trace)).toMatchObject({ verdict: 'delivered' });
  });

  it('innocent: backed up, closed, put back and popped again is late, not lost', () => {
    const trace = healthy();
    trace.groupSend(1000, 1, lost);
    trace.poll(1010, 3, lost);
    trace.backup(1013, 3, lost);
    trace.disconnect(1015, 3);
    trace.receive(1020, 2, lost);
    expect(verdictOf(trace)).toMatchObject({ verdict: 'redelivered-late' });
  });

  it('judges each pop: popped, backed up, put back, popped again and then lost is lost', () => {
    const trace = healthy();
    trace.groupSend(990, 1, lost);
    trace.poll(992, 3, lost);
    trace.backup(995, 3, lost);
    trace.restore(1005, 4);
    trace.poll(1010, 4, lost);
    trace.disconnect(1015, 4);
    trace.receive(1020, 2, sendTo(trace, 1003, 11));
    expect(verdictOf(trace)).toMatchObject({ verdict: 'lost', cause: 'popped-then-disconnected' });
  });

  it('undecided: Redis closed the connection, not the client', () => {
    const trace = popped(healthy());
    trace.disconnect(1015, 3, 'redis');
    expect(verdictOf(trace)).toMatchObject({
      verdict: 'indeterminate',
      alternatives: ['popped-then-disconnected'],
    });
  });

  it('undecided: the client closed after the next step was over, with one poll between', () => {
    const trace = popped(healthy());
    trace.disconnect(1025, 3);
    expect(verdictOf(trace)).toMatchObject({
      verdict: 'indeterminate',
      alternatives: ['stray-pop', 'popped-then-disconnected'],
    });
  });
});

describe('stray-pop', () => {
  it('the connection stays open and is used again, when the reply must have been read', () => {
    const trace = popped(healthy());
    trace.leave(1070, 3, `${PROCESS}carl`);
    expect(verdictOf(trace)).toMatchObject({ verdict: 'lost', cause: 'stray-pop' });
  });

  it('the connection stays open, unused, while the queue is polled on', () => {
    const trace = popped(healthy());
    trace.receive(1100, 2, sendTo(trace, 1090, 12));
    trace.disconnect(5000, 3, 'proxy');
    expect(verdictOf(trace)).toMatchObject({ verdict: 'lost', cause: 'stray-pop' });
  });

  it('undecided: open, unused, and the trace ends before the queue is polled on', () => {
    expect(verdictOf(popped(healthy()))).toMatchObject({ verdict: 'indeterminate' });
  });
});

describe('reply-desync', () => {
  it('a request was sent on the connection before the reply to the pop had reached the client', () => {
    const trace = healthy();
    trace.receive(900, 3, sendTo(trace, 890, 9)); // in step until here
    trace.groupSend(1000, 1, lost);
    trace.poll(1010, 3, lost, { flushMs: 5 });
    trace.restore(1013, 3);
    trace.receive(1020, 2, sendTo(trace, 1003, 11));
    trace.disconnect(1019, 3);
    expect(verdictOf(trace)).toMatchObject({ verdict: 'lost', cause: 'reply-desync' });
  });

  it('innocent: the same, but the reply had reached the client', () => {
    const trace = healthy();
    trace.groupSend(1000, 1, lost);
    trace.poll(1010, 3, lost, { flushMs: 1 });
    trace.restore(1013, 3);
    trace.receive(1020, 2, sendTo(trace, 1003, 11));
    trace.receive(1040, 3, sendTo(trace, 1035, 12));
    expect(verdictOf(trace)).toMatchObject({ verdict: 'lost', cause: 'stray-pop' });
  });
});

describe('not lost', () => {
  it('recipients-left: everyone had left before the next receive step', () => {
    const trace = popped(healthy());
    trace.leave(1006, 1, ANNA);
    trace.leave(1007, 1, BERT);
    trace.disconnect(1015, 3);
    expect(verdictOf(trace)).toMatchObject({ verdict: 'recipients-left' });
  });

  it('lost all the same when one of two stayed', () => {
    const trace = popped(healthy());
    trace.leave(1006, 1, ANNA);
    trace.disconnect(1015, 3);
    expect(verdictOf(trace)).toMatchObject({ verdict: 'lost' });
  });

  it('lost all the same when a recipient left one group and stayed in another', () => {
    const trace = popped(healthy());
    for (const who of [ANNA, BERT]) trace.join(3, 1, who, `${GROUP}2`);
    trace.leave(1006, 1, ANNA);
    trace.leave(1007, 1, BERT);
    trace.disconnect(1015, 3);
    expect(verdictOf(trace)).toMatchObject({ verdict: 'lost' });
  });

  it('in-flight: popped, and the trace ends before the next receive step', () => {
    const trace = healthy();
    trace.groupSend(1000, 1, lost);
    trace.poll(1010, 3, lost);
    trace.disconnect(1015, 3);
    expect(verdictOf(trace)).toMatchObject({ verdict: 'in-flight' });
  });

  it('in-flight: still in its queue when the trace ends', () => {
    const trace = healthy();
    trace.groupSend(1000, 1, lost);
    trace.watermarkUs = 3_000_000;
    expect(verdictOf(trace)).toMatchObject({ verdict: 'in-flight' });
  });

  it('rejected: the script found every queue full', () => {
    const trace = healthy();
    trace.groupSend(1000, 1, lost, { full: 1 });
    trace.watermarkUs = 3_000_000;
    expect(verdictOf(trace)).toMatchObject({ verdict: 'rejected', cause: 'over-capacity' });
  });
});

describe('the evidence does not decide', () => {
  const closed = () => {
    const trace = popped(healthy());
    trace.request(999, 1, ['ZRANGE', GROUP, '0', '-1'], array(bulk(ANNA), bulk(BERT)));
    trace.connect(1004, 3);
    trace.disconnect(1015, 3);
    return trace;
  };

  it('when a hole touches the span from the pop to the next receive step', () => {
    const trace = closed();
    trace.hole(1012, 1014);
    expect(verdictOf(trace)).toMatchObject({ verdict: 'indeterminate', alternatives: ['lost', 'delivered'] });
  });

  it.each([
    ['ends before the pop', 500, 900, {}],
    ['begins after the next receive step', 1500, 1600, {}],
    ['is of blanked secrets', 1012, 1014, { reason: 'redacted', connection: 2 }],
    [
      'is in the replies of a connection that never touches the queue',
      1012,
      1014,
      { direction: 'redis', connection: 99 },
    ],
  ] as const)('but a hole that %s changes nothing', (_, from, to, of) => {
    const trace = closed();
    trace.hole(from, to, of);
    expect(verdictOf(trace)).toMatchObject({ verdict: 'lost', cause: 'popped-then-disconnected' });
  });

  it('when no other pop of the queue is backed up: the client may never back up', () => {
    const trace = new ScriptedTrace();
    trace.join(1, 1, ANNA);
    for (const count of [1, 2, 3]) {
      const member = sendTo(trace, count * 100, count);
      trace.poll(count * 100 + 10, 2, member);
    }
    trace.groupSend(1000, 1, lost);
    trace.poll(1010, 3, lost);
    trace.disconnect(1015, 3);
    trace.poll(1020, 2, null);
    expect(verdictOf(trace)).toMatchObject({ verdict: 'indeterminate' });
    expect(verdictOf(trace).because).toContain('may never back up');
  });

  it('when some of the queue is served past the proxy', () => {
    const trace = closed();
    const elsewhere = sendTo(trace, 700, 7); // popped and backed up unseen, acknowledged in sight
    trace.acknowledge(720, 2, elsewhere);
    expect(verdictOf(trace)).toMatchObject({ verdict: 'indeterminate' });
    expect(verdictOf(trace).because).toContain('do not pass the proxy');
  });

  it('when Redis never answered the enqueue', () => {
    const trace = healthy();
    trace.groupSend(1000, 1, lost, { noReply: true });
    expect(verdictOf(trace)).toMatchObject({
      verdict: 'indeterminate',
      alternatives: ['send-unconfirmed', 'in-flight'],
    });
  });
});

describe('a finding', () => {
  it('tells the whole story: operations by role, the close, the library, the latency', () => {
    const trace = popped(healthy());
    trace.disconnect(1015, 3);
    trace.says(3, 'redis-py', '5.2.1');
    trace.meta.set('latency_us', '2000');
    trace.leave(1018, 1, `${PROCESS}carl`);
    const { findings, summary } = analyze(trace, { ask: 'losses' });
    expect(summary).toMatchObject({ delivered: 4, lost: 1, indeterminate: 0 });
    expect(findings).toHaveLength(1);
    const [finding] = findings;
    expect(finding).toMatchObject({
      sender: 's',
      count: 10,
      verdict: 'lost',
      cause: 'popped-then-disconnected',
      group: GROUP,
      recipients: [ANNA, BERT],
      recipients_present: [ANNA, BERT],
      client_library: 'redis-py 5.2.1',
      latency_us: 2000,
      events: [{ connection: 3, event: 'closed', by: 'client', how: 'fin', at_us: 1_015_000 }],
    });
    expect(finding?.operations.map(({ role }) => role)).toEqual([
      'enqueue',
      'pop',
      'departure',
      'next-receive',
    ]);
    expect(finding?.operations[0]?.implied).toHaveLength(2);
    expect(finding?.explanation).toContain('says it is redis-py 5.2.1');
    expect(finding?.explanation).toContain('2 ms of latency each way');
  });
});

describe('the reliable receive', () => {
  it('a message that a script popped and backed up at once is delivered when it is acknowledged by name', () => {
    const trace = healthy();
    const first = sendTo(trace, 1000, 10);
    const second = sendTo(trace, 1001, 11);
    trace.poll(1002, 3, first);
    trace.backup(1004, 3, first);
    trace.take(1004, 3, [second], { pipelined: true });
    trace.request(1006, 3, ['ZREM', `${QUEUE}$inflight`, first, second], integer(2));
    trace.take(1006, 3, [], { pipelined: true });
    expect(verdictOf(trace, 10)).toMatchObject({ verdict: 'delivered' });
    expect(verdictOf(trace, 11)).toMatchObject({ verdict: 'delivered' });
  });

  it('is not lost with its connection: it was backed up before anybody could have read it', () => {
    const trace = healthy();
    const message = sendTo(trace, 1000, 10);
    trace.take(1002, 3, [message]);
    trace.disconnect(1004, 3);
    trace.restore(1010, 4);
    trace.receive(1020, 4, message);
    expect(verdictOf(trace)).toMatchObject({ verdict: 'redelivered-late' });
  });
});
