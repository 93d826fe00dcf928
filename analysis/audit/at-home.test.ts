import { describe, expect, it } from 'vitest';
import { audit } from '../audit.js';
import { renderAudit } from '../render/audit-text.js';
import { joinTraces } from '../several-traces.js';
import { memberOf, PROCESS, QUEUE, ScriptedTrace } from '../testing/scripted-trace.js';

const [ANNA, GUEST] = [`${PROCESS}anna`, `${PROCESS}guest`];

/** The trace of one Redis host, of a layer with several. */
function host(name: string): ScriptedTrace {
  const trace = new ScriptedTrace(`traces/${name}.db`);
  trace.meta.set('redis_run_id', `run of ${name}`);
  trace.meta.set('upstream', `redis://${name}:6379`);
  return trace;
}

/** The groups are on one host; a queue on the other loses a message to a guest's departure. */
function traces(): readonly [groups: ScriptedTrace, queues: ScriptedTrace] {
  const [groups, queues] = [host('a'), host('b')];
  groups.join(1, 1, ANNA);
  groups.join(2, 1, GUEST);
  groups.leave(1980, 1, GUEST);
  for (const [count, at] of [100, 200, 3000].entries()) {
    queues.groupSend(at, 1, memberOf('s', count, [ANNA]));
    queues.receive(at + 10, 2, memberOf('s', count, [ANNA]));
  }
  const lost = memberOf('s', 10, [ANNA]);
  queues.groupSend(1995, 1, lost);
  queues.poll(2000, 3, lost);
  queues.disconnect(2004, 3);
  return [groups, queues];
}

/** What an id means in the trace that has it. */
function commandOf(of: readonly ScriptedTrace[], id: number, path: string | undefined): string | undefined {
  return of.find((trace) => trace.path === path)?.operation(id)?.command;
}

describe('an audit of several traces', () => {
  const both = traces();
  const report = audit(joinTraces(both));
  const [cluster] = report.clusters;

  it('names the operations and the connection of a loss by the numbers of their trace', () => {
    const loss = cluster?.losses[0];
    expect(loss).toMatchObject({ count: 10, connection: 3, connection_trace: 'traces/b.db' });
    expect(loss?.operations.map((id, at) => commandOf(both, id, loss.traces?.[at]))).toEqual([
      'ZREM',
      'EVAL',
      'BZPOPMIN',
      'EVAL',
    ]);
    expect(report.fates.find(({ count }) => count === 10)).toMatchObject({
      operations: loss?.operations,
      traces: ['traces/a.db', 'traces/b.db', 'traces/b.db', 'traces/b.db'],
    });
  });

  it('and so the departure, the proofs of the answers, and what the text says', () => {
    const [departure] = cluster?.departures ?? [];
    expect(departure).toMatchObject({ channel: GUEST, trace: 'traces/a.db', operation: 3 });
    const fourth = report.answers[3];
    expect(fourth?.operations.map((id, at) => commandOf(both, id, fourth.traces?.[at]))).toEqual([
      'BZPOPMIN',
    ]);
    const text = renderAudit(report).replace(/\s+/g, ' ');
    expect(text).toContain('(ZREM, operation 3 of traces/a.db,');
    expect(text).toContain(`Proof: operation ${fourth?.operations[0]} of traces/b.db.`);
  });

  it('an audit of one trace has plain numbers', () => {
    const [, queues] = traces();
    const one = audit(joinTraces([queues]));
    expect(JSON.stringify(one)).not.toContain('"traces"');
    expect(renderAudit(one)).not.toContain(' of scripted.db');
  });

  it('a queue of the same key on a second host has its departures, too', () => {
    const [groups, queues] = traces();
    groups.poll(500, 9, null); // the first host seen with the key: on the other it is "K on b.db"
    for (const trace of [groups]) trace.receive(50, 9, memberOf('t', 0, [ANNA]));
    const { clusters } = audit(joinTraces([groups, queues]));
    expect(clusters).toMatchObject([
      { queues: [`${QUEUE} on b.db`], departures: [{ channel: GUEST, trace: 'traces/a.db' }] },
    ]);
  });
});
