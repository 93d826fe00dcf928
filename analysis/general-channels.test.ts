import { describe, expect, it } from 'vitest';
import { encodeMember } from '../server/layers/message.js';
import { Evidence } from './evidence.js';
import { Judge } from './judge.js';
import { array, bulk, integer, memberOf, nil, ScriptedTrace } from './testing/scripted-trace.js';

// `send` to a worker: a queue whose name says nothing, read by as many workers as there are.

const QUEUE = 'chatthumbnails';
const BACKUP = `${QUEUE}$inflight`;

/** As `send` to a general channel makes it: it names no recipient. */
function job(count: number): Buffer {
  const text_data = JSON.stringify({ my_id: 's', count });
  return Buffer.from(encodeMember({ type: 'thumbnail', text_data }, Buffer.alloc(12, `job ${count}`)));
}

class Worker extends ScriptedTrace {
  sends(atMs: number, member: Buffer, queue = QUEUE) {
    this.request(atMs, 1, ['ZADD', queue, String(atMs / 1000), member], integer(1));
  }
  pops(atMs: number, worker: number, member: Buffer | null, queue = QUEUE) {
    const reply = member ? array(bulk(queue), bulk(member), bulk('1')) : nil;
    this.request(atMs, worker, ['BZPOPMIN', queue, '5'], reply);
  }
  works(atMs: number, worker: number, member: Buffer) {
    this.request(atMs, worker, ['EVAL', 'cleanup', '0', QUEUE, BACKUP], nil);
    this.pops(atMs + 2, worker, member);
    this.request(atMs + 4, worker, ['ZADD', BACKUP, '1', member], integer(1));
    this.request(atMs + 6, worker, ['ZPOPMIN', BACKUP], array(bulk(member), bulk('1')));
  }
}

function judged(trace: ScriptedTrace) {
  return new Judge(new Evidence(trace)).all();
}

function verdictOf(trace: ScriptedTrace, count: number) {
  const { verdict, cause, alternatives } = judged(trace).find(({ payload }) => payload.count === count)!;
  return { verdict, cause, alternatives };
}

it('has journeys from its first enqueue on, also before anybody polled', () => {
  const trace = new Worker();
  trace.sends(100, job(1));
  trace.works(500, 2, job(1));
  expect(judged(trace)).toMatchObject([{ queue: QUEUE, verdict: 'delivered', process: null }]);
  expect(judged(trace)[0]?.waypoints.map(({ role }) => role)).toEqual([
    'enqueue',
    'pop',
    'backup',
    'acknowledge',
  ]);
});

it('takes part in a group_send beside the queues of processes', () => {
  const trace = new Worker();
  const own = `chatspecific.${'0'.repeat(32)}!`;
  const [a, b] = [memberOf('s', 1, ['thumbnails']), memberOf('s', 1, [`${own.slice(4)}a`])];
  trace.request(100, 1, ['EVAL', 'x', '2', QUEUE, own, a, b, '100', '5', '0.1', '60'], integer(0));
  trace.works(500, 2, a);
  expect(judged(trace).map(({ queue, verdict }) => [queue, verdict])).toEqual([
    [QUEUE, 'delivered'],
    [own, 'in-flight'],
  ]);
});

describe('sorted sets of other applications get no verdicts', () => {
  it('a job queue that is polled with BZPOPMIN, whose jobs are maps in msgpack behind 12 bytes, as ours are', () => {
    const trace = new Worker();
    trace.sends(100, job(1), 'jobs');
    trace.pops(110, 2, job(1), 'jobs');
    trace.disconnect(110.5, 2);
    trace.pops(120, 3, null, 'jobs');
    expect(judged(trace)).toEqual([]);
  });

  it('a set of such members that nobody polls', () => {
    const trace = new Worker();
    trace.sends(100, job(1), 'ranking');
    expect(judged(trace)).toEqual([]);
  });
});

describe("with two workers another worker's step says nothing of this one", () => {
  /** Worker 2 takes count 1; worker 3 goes on receiving. */
  function taken(): Worker {
    const trace = new Worker();
    trace.sends(10, job(0));
    trace.works(20, 2, job(0));
    trace.sends(100, job(1));
    trace.pops(110, 2, job(1));
    for (const [i, count] of [2, 3, 4].entries()) {
      trace.sends(111 + i * 10, job(count));
      trace.works(112 + i * 10, 3, job(count));
    }
    return trace;
  }

  it('in-flight: the trace ends before worker 2 has had the time to back up', () => {
    expect(verdictOf(taken(), 1)).toMatchObject({ verdict: 'in-flight' });
  });

  it('popped-then-disconnected, whatever worker 3 polled before the close', () => {
    const trace = taken();
    trace.disconnect(160, 2);
    trace.sends(5000, job(5));
    trace.works(5010, 3, job(5));
    expect(verdictOf(trace, 1)).toMatchObject({ verdict: 'lost', cause: 'popped-then-disconnected' });
  });

  it('innocent twin of popped-then-disconnected: worker 2 was slow to back up', () => {
    const trace = taken();
    trace.request(200, 2, ['ZADD', BACKUP, '1', job(1)], integer(1));
    trace.request(202, 2, ['ZPOPMIN', BACKUP], array(bulk(job(1)), bulk('1')));
    expect(verdictOf(trace, 1)).toMatchObject({ verdict: 'delivered' });
  });
});
