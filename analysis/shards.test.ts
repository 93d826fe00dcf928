import { describe, expect, it } from 'vitest';
import { analyze } from './analyze.js';
import { renderAnalysis } from './render/text.js';
import { joinTraces, SeveralTraces } from './several-traces.js';
import { memberOf, PROCESS, QUEUE, ScriptedTrace } from './testing/scripted-trace.js';

const ANNA = `${PROCESS}anna`;

/** The trace of one Redis host, of a layer with several. */
function host(name: string): ScriptedTrace {
  const trace = new ScriptedTrace(`traces/${name}.db`);
  trace.meta.set('redis_run_id', `run of ${name}`);
  trace.meta.set('upstream', `redis://${name}:6379`);
  return trace;
}

/** The host where the process receives: three messages by group_send, in good health. */
function home(): ScriptedTrace {
  const trace = host('home');
  trace.join(1, 1, ANNA);
  for (const [i, at] of [100, 200, 3000].entries()) {
    const member = memberOf('s', i, [ANNA]);
    trace.groupSend(at, 1, member);
    trace.receive(at + 10, 2, member);
  }
  return trace;
}

const astray = memberOf('s', 10, [ANNA]);

/** The other host: one message by send. */
function away(): ScriptedTrace {
  const trace = host('away');
  trace.request(1000, 1, ['ZADD', QUEUE, '1', astray], { kind: 'integer', value: 1n });
  return trace;
}

const asked = (...traces: ScriptedTrace[]) =>
  analyze(joinTraces(traces), { ask: 'message', sender: 's', count: 10 });
const verdictOf = (...traces: ScriptedTrace[]) => asked(...traces).findings[0];

describe('shard-mismatch', () => {
  it('sent on one host, while its process receives on another', () => {
    const finding = verdictOf(home(), away());
    expect(finding).toMatchObject({ verdict: 'lost', cause: 'shard-mismatch', queue: QUEUE });
    expect(finding?.operations.map(({ role, trace }) => [role, trace])).toEqual([
      ['enqueue', 'traces/away.db'],
      ['received-elsewhere', 'traces/home.db'],
    ]);
  });

  it('innocent: the same queue is polled on that host later', () => {
    const there = away();
    there.poll(2000, 3, null);
    expect(verdictOf(home(), there)?.verdict).toBe('indeterminate');
    const taken = away();
    taken.receive(2000, 3, astray);
    expect(verdictOf(home(), taken)?.verdict).toBe('delivered');
  });

  it('innocent: a trace that lacks the other host accuses nobody, and says what is needed', () => {
    const finding = verdictOf(away());
    expect(finding).toMatchObject({
      verdict: 'indeterminate',
      cause: null,
      alternatives: ['shard-mismatch', 'in-flight'],
    });
    expect(finding?.explanation).toContain('the traces of all hosts together');
  });

  it('innocent: two proxies before one Redis', () => {
    const [first, second] = [home(), away()];
    first.receive(1010, 2, astray);
    second.meta.set('redis_run_id', 'run of home');
    expect(verdictOf(first, second)?.verdict).toBe('delivered');
  });

  it('a trace that does not say which Redis it is of cannot be read with others', () => {
    const unnamed = away();
    unnamed.meta.delete('redis_run_id');
    expect(() => verdictOf(home(), unnamed)).toThrow(/away\.db does not say which Redis/);
  });

  it('innocent: who it was for had left', () => {
    const trace = home();
    trace.leave(500, 1, ANNA);
    expect(verdictOf(trace, away())?.verdict).toBe('recipients-left');
  });

  it.each([
    ['before it was sent', 200],
    ['after it was sent', 1500],
  ])('undecided: a hole in the trace of that host, %s, may hide that it is polled there', (_, fromMs) => {
    const there = away();
    there.hole(fromMs, fromMs + 100);
    expect(verdictOf(home(), there)).toMatchObject({ verdict: 'indeterminate' });
  });

  it('the recorders need not start and stop together, but both must have run when its process received', () => {
    const there = away();
    there.startedUnixUs += 500_000;
    there.watermarkUs = 5_000_000;
    expect(verdictOf(home(), there)).toMatchObject({ cause: 'shard-mismatch' });
    there.watermarkUs = 1_900_000;
    expect(verdictOf(home(), there)).toMatchObject({ verdict: 'indeterminate' });
  });
});

describe('several traces', () => {
  it('one trace is itself', () => {
    const trace = home();
    expect(joinTraces([trace])).toBe(trace);
  });

  it('times are aligned by the wall clock: a group on one host says who was there for a queue of the other', () => {
    const groups = host('groups');
    groups.startedUnixUs -= 2_000_000;
    groups.join(100, 1, ANNA);
    groups.leave(3005, 1, ANNA); // 1005 ms on the clock of the queue's host
    const queues = host('queues');
    queues.receive(100, 2, memberOf('s', 0, [ANNA]));
    queues.groupSend(1000, 1, astray);
    queues.poll(1010, 3, astray);
    queues.disconnect(1015, 3);
    queues.receive(1020, 2, memberOf('s', 11, [ANNA]));
    expect(verdictOf(queues)?.verdict).toBe('lost');
    expect(verdictOf(groups, queues)?.verdict).toBe('recipients-left');
    expect(asked(groups, queues).trace).toMatchObject({
      started_at: new Date(queues.startedUnixUs / 1000 - 2000).toISOString(),
      of: [{ path: 'traces/groups.db' }, { path: 'traces/queues.db' }],
    });
  });

  it('the end is where the first of them ends, and before one began it has a hole', () => {
    const [early, late] = [host('early'), host('late')];
    early.watermarkUs = 3_000_000;
    late.startedUnixUs += 1_000_000;
    early.join(2500, 1, ANNA);
    late.join(1999, 1, ANNA);
    late.join(2001, 1, ANNA);
    const joined = new SeveralTraces([early, late]);
    expect(joined.watermarkUs).toBe(3_000_000);
    expect([...joined.operations()].map(({ requestedUs }) => requestedUs)).toEqual([2_500_000, 2_999_000]);
    expect([...joined.holes()]).toMatchObject([{ fromUs: 0, toUs: 1_000_000, trace: 'late.db' }]);
    late.startedUnixUs += 2_000_000;
    expect(() => new SeveralTraces([early, late])).toThrow(/one of them had ended before .*late\.db began/);
  });

  /** Connection 2 of `queues` takes it and closes. */
  function poppedOnSecondHost(): { queues: ScriptedTrace; pop: number } {
    const queues = host('queues');
    queues.receive(100, 1, memberOf('s', 0, [ANNA]));
    queues.groupSend(1000, 1, astray);
    const pop = queues.poll(1010, 2, astray);
    queues.disconnect(1015, 2);
    queues.receive(1020, 1, memberOf('s', 11, [ANNA]));
    return { queues, pop };
  }

  it('operations, events and sentences name the trace, and the numbers that it has there', () => {
    const { queues, pop } = poppedOnSecondHost();
    const analysis = asked(home(), queues);
    const [finding] = analysis.findings;
    expect(finding).toMatchObject({ verdict: 'lost', cause: 'popped-then-disconnected', queue: QUEUE });
    const found = finding?.operations.find(({ role }) => role === 'pop');
    expect(found).toMatchObject({ id: pop, connection: 2, trace: 'traces/queues.db', key: QUEUE });
    expect(finding?.events).toMatchObject([{ connection: 2, trace: 'traces/queues.db' }]);
    expect(finding?.explanation).toContain(
      `Connection 2 of queues.db took it with BZPOPMIN (operation ${pop} of queues.db)`,
    );
    expect(renderAnalysis(analysis)).toContain(`(operation ${pop}, connection 2 of traces/queues.db`);
  });

  it('a hole of the other host hides nothing of this one', () => {
    const { queues } = poppedOnSecondHost();
    const other = home();
    other.hole(900, 1100, { direction: 'redis' }); // its requests could say that Anna left
    expect(verdictOf(other, queues)).toMatchObject({ verdict: 'lost' });
    queues.hole(900, 1100, { direction: 'redis' });
    const finding = verdictOf(other, queues);
    expect(finding).toMatchObject({ verdict: 'indeterminate' });
    expect(finding?.explanation).toContain('the whole queues.db has a hole there');
  });

  it('connections, operations and holes have numbers of their own, and lead back', () => {
    const [a, b] = [home(), away()];
    b.hole(5, 6, { connection: 1 });
    const joined = new SeveralTraces([a, b]);
    const operations = [...joined.operations()];
    expect(operations).toHaveLength(a.operationCount() + b.operationCount());
    expect(new Set(operations.map(({ id }) => id)).size).toBe(operations.length);
    expect(operations.map((o) => o.requestedUs)).toEqual(
      operations.map((o) => o.requestedUs).sort((x, y) => x - y),
    );
    for (const operation of operations) {
      const { trace, id } = joined.origin(operation.id);
      expect(joined.operation(operation.id)?.args).toEqual(trace.operation(id)?.args);
      expect([...joined.operations({ connection: operation.connection })].map((o) => o.id)).toContain(
        operation.id,
      );
      expect(joined.connection(operation.connection)?.id).toBe(operation.connection);
    }
    const [hole] = joined.holes();
    expect(joined.origin(hole?.connection ?? 0)).toEqual({ trace: b, id: 1 });
    expect([...joined.operations({ commands: ['ZADD'], sinceUs: 900_000, untilUs: 1_500_000 })]).toHaveLength(
      1,
    );
  });
});
