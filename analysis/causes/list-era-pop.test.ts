import { describe, expect, it } from 'vitest';
import { encodeMember } from '../../server/layers/message.js';
import { Evidence } from '../evidence.js';
import { Judge } from '../judge.js';
import { array, bulk, integer, nil, ScriptedTrace } from '../testing/scripted-trace.js';

// As channels_redis 2.2 and 2.4 speak: lists; the first pops and keeps nothing, the second moves what it pops to a backup.

const PROCESS = 'specific.dqKbMlZp!';
const LIST = `asgi:${PROCESS}`;
const BACKUP = `${LIST}$inflight`;

function member(count: number): Buffer {
  const message = { text_data: JSON.stringify({ my_id: 's', count }), __asgi_channel__: `${PROCESS}a` };
  return Buffer.from(encodeMember(message, Buffer.alloc(12))).subarray(12);
}

/** Count 1 is sent and popped by 2.2 on connection 2, answered at 111 ms. */
function popped(): ScriptedTrace {
  const trace = new ScriptedTrace();
  trace.request(100, 1, ['RPUSH', LIST, member(1)], integer(1));
  trace.request(110, 2, ['BLPOP', LIST, '5'], array(bulk(LIST), bulk(member(1))));
  return trace;
}

function verdictOf(trace: ScriptedTrace, missed = false) {
  const judge = new Judge(new Evidence(trace));
  const [judged, ...more] = judge.all();
  expect(more).toEqual([]);
  const { verdict, cause, alternatives } = missed ? judge.missed(judged!) : judged!;
  return { verdict, cause, alternatives };
}

describe('channels_redis 2.2', () => {
  it('list-era-pop: the client had closed before Redis popped', () => {
    const trace = popped();
    trace.disconnect(110.5, 2);
    expect(verdictOf(trace)).toMatchObject({ verdict: 'lost', cause: 'list-era-pop' });
  });

  it('list-era-pop: the client closed just after, and a client says that it never came', () => {
    const trace = popped();
    trace.disconnect(112, 2);
    expect(verdictOf(trace, true)).toMatchObject({ verdict: 'lost', cause: 'list-era-pop' });
  });

  it('list-era-pop, undecided: the client closed just after, and may have read it', () => {
    const trace = popped();
    trace.disconnect(112, 2);
    expect(verdictOf(trace)).toMatchObject({
      ...{ verdict: 'indeterminate', alternatives: ['list-era-pop', 'delivered'] },
    });
  });

  it('innocent twin of list-era-pop: the connection went on with the next pop', () => {
    const trace = popped();
    trace.request(113, 2, ['BLPOP', LIST, '5'], nil);
    trace.disconnect(6000, 2);
    expect(verdictOf(trace)).toMatchObject({ verdict: 'delivered', cause: null });
    expect(verdictOf(trace, true)).toMatchObject({ verdict: 'lost', cause: 'lost-after-redis' });
  });

  it('innocent twin of list-era-pop: Redis closed it', () => {
    const trace = popped();
    trace.disconnect(112, 2, 'redis');
    expect(verdictOf(trace)).toMatchObject({ verdict: 'indeterminate' });
  });

  it('list-era-pop, undecided: it came in while the client was closing, and Redis may have closed before it answered', () => {
    const trace = new ScriptedTrace();
    trace.request(90, 2, ['BLPOP', LIST, '5'], null, { noReply: true });
    trace.request(100, 1, ['RPUSH', LIST, member(1)], integer(1));
    trace.disconnect(100.5, 2);
    trace.request(110, 3, ['BLPOP', LIST, '1'], nil, { tookMs: 1000 });
    trace.watermarkUs = 3_000_000;
    const said = verdictOf(trace);
    expect(said.verdict).toBe('indeterminate');
    expect(said.alternatives).toContain('list-era-pop');
  });

  it('a hole on that connection leaves it open', () => {
    const trace = popped();
    trace.disconnect(112, 2);
    trace.hole(111.5, 111.6, { connection: 2 });
    expect(verdictOf(trace, true)).toMatchObject({ verdict: 'indeterminate' });
  });
});

describe('channels_redis 2.4', () => {
  const reply = { kind: 'bulk' as const, bytes: member(1) };

  it('innocent twin of list-era-pop: BRPOPLPUSH moved it to the backup, and it was put back after the close', () => {
    const trace = new ScriptedTrace();
    trace.request(100, 1, ['LPUSH', LIST, member(1)], integer(1));
    trace.request(110, 2, ['BRPOPLPUSH', LIST, BACKUP, '5'], reply);
    trace.disconnect(110.5, 2);
    trace.request(120, 3, ['EVAL', 'cleanup', '0', LIST, BACKUP], nil);
    trace.request(130, 3, ['BRPOPLPUSH', LIST, BACKUP, '5'], reply);
    trace.request(140, 3, ['RPOP', BACKUP], reply);
    expect(verdictOf(trace)).toMatchObject({ verdict: 'redelivered-late' });
  });
});

it('lists of other applications get no verdicts', () => {
  const trace = new ScriptedTrace();
  trace.request(100, 1, ['LPUSH', 'celery', '{"body":"x"}'], integer(1));
  trace.request(110, 2, ['BLPOP', 'celery', '5'], array(bulk('celery'), bulk('{"body":"x"}')));
  trace.disconnect(110.5, 2);
  expect(new Judge(new Evidence(trace)).all()).toEqual([]);
});
