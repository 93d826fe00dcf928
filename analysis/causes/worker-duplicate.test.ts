import { expect, it } from 'vitest';
import { Evidence } from '../evidence.js';
import { Judge } from '../judge.js';
import {
  array,
  bulk,
  integer,
  memberOf,
  nil,
  QUEUE as PROCESS_QUEUE,
  ScriptedTrace,
} from '../testing/scripted-trace.js';
import { healthy, message, verdictOf as verdictIn } from '../testing/verdict-of.js';

// Workers A and B, on connections 2 and 3, receive from the general channel `thumbnails`.

const QUEUE = 'chatthumbnails';
const BACKUP = `${QUEUE}$inflight`;
const [job, other] = [memberOf('s', 1), memberOf('s', 2)];

class Workers extends ScriptedTrace {
  sends(atMs: number, member: Buffer) {
    this.request(atMs, 1, ['ZADD', QUEUE, String(atMs / 1000), member], integer(1));
  }
  restores(atMs: number, worker: number) {
    this.request(atMs, worker, ['EVAL', 'cleanup', '0', QUEUE, BACKUP], nil);
  }
  pops(atMs: number, worker: number, member: Buffer) {
    this.request(atMs, worker, ['BZPOPMIN', QUEUE, '5'], array(bulk(QUEUE), bulk(member), bulk('1')));
  }
  backsUp(atMs: number, worker: number, member: Buffer) {
    this.request(atMs, worker, ['ZADD', BACKUP, '1', member], integer(1));
  }
  acknowledges(atMs: number, worker: number, member: Buffer | null) {
    const reply = member ? array(bulk(member), bulk('1')) : array();
    this.request(atMs, worker, ['ZPOPMIN', BACKUP], reply);
  }
}

/** A pops and backs up the job; B puts it back and pops it. Then A does what `a` says. */
function putBack(a: (trace: Workers) => void): Workers {
  const trace = new Workers();
  trace.sends(100, job);
  trace.restores(101, 2);
  trace.pops(103, 2, job);
  trace.backsUp(105, 2, job);
  trace.restores(107, 3);
  a(trace);
  trace.pops(109, 3, job);
  trace.backsUp(111, 3, job);
  trace.acknowledges(113, 3, job);
  return trace;
}

function verdictOf(trace: ScriptedTrace) {
  const [judged] = new Judge(new Evidence(trace)).all().filter(({ payload }) => payload.count === 1);
  const { verdict, cause, alternatives } = judged!;
  return { verdict, cause, alternatives };
}

it('worker-duplicate: B puts back what A is processing; A acknowledges and finds nothing', () => {
  expect(verdictOf(putBack((a) => a.acknowledges(108, 2, null)))).toMatchObject({
    ...{ verdict: 'duplicated', cause: 'worker-duplicate' },
  });
});

/** A's acknowledgement is asked for when B has backed the job up, too. */
function takesBackup(trace: Workers): Workers {
  trace.sends(100, job);
  trace.pops(103, 2, job);
  trace.backsUp(105, 2, job);
  trace.restores(107, 3);
  trace.pops(109, 3, job);
  trace.backsUp(111, 3, job);
  trace.acknowledges(112.5, 2, job);
  trace.acknowledges(113, 3, null);
  return trace;
}

it("worker-duplicate: A's acknowledgement takes B's backup of the same job", () => {
  const trace = new Workers();
  for (const [i, worker] of [2, 3].entries()) {
    const earlier = memberOf('s', 8 + i);
    trace.sends(30 + i, earlier);
    const reply = array(bulk(QUEUE), bulk(earlier), bulk('1'));
    trace.request(20 + i, worker, ['BZPOPMIN', QUEUE, '5'], reply, { tookMs: 15 });
    trace.backsUp(40 + i, worker, earlier);
    trace.acknowledges(44 + i, worker, earlier);
  }
  expect(verdictOf(takesBackup(trace))).toMatchObject({ verdict: 'duplicated', cause: 'worker-duplicate' });
});

it('worker-duplicate, undecided: a hole may hide what A did after its backup', () => {
  const trace = putBack((a) => a.disconnect(106, 2));
  trace.hole(105.5, 108, { connection: 2 });
  expect(verdictOf(trace)).toMatchObject({ verdict: 'indeterminate' });
});

it('worker-duplicate, undecided: the same, and nothing shows that there are two', () => {
  expect(verdictOf(takesBackup(new Workers()))).toMatchObject({
    ...{ verdict: 'indeterminate', alternatives: ['redelivered-late', 'worker-duplicate'] },
  });
});

it('innocent twin of worker-duplicate: A was cancelled and closed: processed once, late', () => {
  expect(verdictOf(putBack((a) => a.disconnect(106, 2)))).toMatchObject({
    ...{ verdict: 'redelivered-late', cause: 'redelivered-late' },
  });
});

it('innocent twin of worker-duplicate: A was cancelled, received another job, and acknowledged that', () => {
  const trace = putBack((a) => {
    a.sends(107.5, other);
    a.restores(120, 2);
    a.pops(122, 2, other);
    a.backsUp(124, 2, other);
    a.acknowledges(126, 2, other);
  });
  // Its connection is still open, so that it never went on with the first job is not certain.
  expect(verdictOf(trace)).toMatchObject({
    ...{ verdict: 'indeterminate', alternatives: ['redelivered-late', 'worker-duplicate'] },
  });
  trace.disconnect(200, 2);
  expect(verdictOf(trace)).toMatchObject({ verdict: 'redelivered-late' });
});

it('innocent twin of worker-duplicate: one process that was cancelled acknowledges its next job over the same connection', () => {
  const trace = putBack(() => {});
  trace.sends(114, other);
  trace.pops(115, 3, other);
  trace.backsUp(117, 3, other);
  trace.acknowledges(119, 2, other);
  expect(verdictOf(trace).verdict).not.toBe('duplicated');
});

it('innocent twin of worker-duplicate: B began before A had backed up, and put nothing back', () => {
  const trace = new Workers();
  trace.sends(100, job);
  trace.pops(103, 2, job);
  trace.restores(103.5, 3);
  trace.backsUp(105, 2, job);
  trace.acknowledges(107, 2, job);
  expect(verdictOf(trace)).toMatchObject({ verdict: 'delivered' });
});

it('undecided on the queue of a process that two share: its recipient lives in one of them only', () => {
  const trace = healthy();
  trace.poll(990, 2, message(10), { tookMs: 12 });
  trace.poll(991, 3, message(11), { tookMs: 12 });
  trace.groupSend(1000, 1, message(10));
  trace.groupSend(1001, 1, message(11));
  trace.backup(1004, 2, message(10));
  trace.backup(1005, 3, message(11));
  trace.acknowledge(1006, 3, message(11));
  trace.restore(1008, 3);
  trace.request(1010, 2, ['ZPOPMIN', `${PROCESS_QUEUE}$inflight`], array());
  trace.poll(1012, 3, message(10));
  trace.backup(1014, 3, message(10));
  trace.acknowledge(1016, 3, message(10));
  expect(verdictIn(trace, 10)).toMatchObject({
    verdict: 'indeterminate',
    alternatives: ['redelivered-late', 'worker-duplicate'],
  });
});
