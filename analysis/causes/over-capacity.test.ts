import { describe, expect, it } from 'vitest';
import { analyze } from '../analyze.js';
import { integer, memberOf, QUEUE, ScriptedTrace } from '../testing/scripted-trace.js';
import { ANNA, healthy, message, unsentOf, verdictOf } from '../testing/verdict-of.js';

const OTHER = QUEUE.replace('0123', 'ffff');
const theirs = (count: number) => memberOf('s', count, [`${OTHER.slice('chat'.length)}bert`]);

/** group_send to both queues, of which the script found so many full. */
function toBoth(trace: ScriptedTrace, atMs: number, count: number, full: number, tookMs = 1): void {
  const args = [
    'EVAL',
    'x',
    '2',
    QUEUE,
    OTHER,
    message(count),
    theirs(count),
    '2',
    '2',
    String(atMs / 1000),
    '60',
  ];
  trace.request(atMs, 1, args, integer(full), { tookMs });
}

/** Anna's process polls and is answered too late for the next sends; Bert's receives at once. */
function oneIsSlow(): ScriptedTrace {
  const trace = healthy();
  trace.watermarkUs = 5_000_000;
  trace.restore(320, 2);
  trace.poll(321, 2, null);
  for (const count of [10, 11]) {
    toBoth(trace, count * 100, count, 0);
    pop(trace, count * 100 + 10, count);
  }
  toBoth(trace, 1200, 12, 1);
  return trace;
}

/** Bert's process takes a message. */
function pop(trace: ScriptedTrace, atMs: number, count: number): void {
  trace.on(OTHER).receive(atMs, 4, theirs(count));
}

describe('over-capacity of group_send', () => {
  it('names the queue that held its capacity, and the other is delivered', () => {
    const trace = oneIsSlow();
    pop(trace, 1210, 12);
    expect(verdictOf(trace, 12)).toMatchObject({ verdict: 'rejected', cause: 'over-capacity' });
    expect(verdictOf(trace, 12).because).toContain('held at least 2 messages then, and its capacity is 2');
    expect(verdictOf(trace, 12, OTHER)).toMatchObject({ verdict: 'delivered' });
  });

  it('innocent twin: the queue that had room is not accused, though its message was not popped yet', () => {
    const trace = oneIsSlow();
    expect(verdictOf(trace, 12, OTHER)).toMatchObject({ verdict: 'in-flight' });
  });

  it('by elimination: the other of two queues popped its message', () => {
    const trace = new ScriptedTrace(); // begins in the middle: what the queues hold is not known
    trace.watermarkUs = 5_000_000;
    toBoth(trace, 1200, 12, 1);
    pop(trace, 1210, 12);
    expect(verdictOf(trace, 12)).toMatchObject({ verdict: 'rejected', cause: 'over-capacity' });
  });

  it('by what came first: a later message was popped, and this one never', () => {
    const trace = new ScriptedTrace();
    trace.watermarkUs = 5_000_000;
    toBoth(trace, 1200, 12, 1);
    trace.groupSend(1300, 1, message(13));
    trace.receive(1310, 2, message(13));
    expect(verdictOf(trace, 12)).toMatchObject({ verdict: 'rejected', cause: 'over-capacity' });
  });

  it('undecided: nothing tells which queue was full', () => {
    const trace = new ScriptedTrace();
    trace.watermarkUs = 5_000_000;
    toBoth(trace, 1200, 12, 1);
    const undecided = { verdict: 'indeterminate', alternatives: ['over-capacity', 'in-flight'] };
    expect(verdictOf(trace, 12)).toMatchObject(undecided);
    expect(verdictOf(trace, 12, OTHER)).toMatchObject(undecided);
  });

  it('undecided: a pop overlaps the script, so that the queue may have had room', () => {
    const trace = oneIsSlow();
    toBoth(trace, 1300, 13, 1, 50);
    trace.poll(1310, 2, message(10));
    trace.on(OTHER).poll(1310, 4, theirs(12));
    expect(verdictOf(trace, 13)).toMatchObject({ verdict: 'indeterminate' });
  });

  it('undecided: a hole may hide what filled or emptied the queue', () => {
    const trace = oneIsSlow();
    trace.hole(1110, 1150);
    expect(verdictOf(trace, 12)).toMatchObject({ verdict: 'indeterminate' });
  });
});

/** A send as channels_redis does it: trim, count, and where there is room, ZADD and EXPIRE. */
function send(trace: ScriptedTrace, atMs: number, connection: number, held: number, member?: Buffer): void {
  trace.request(atMs, connection, ['ZREMRANGEBYSCORE', QUEUE, '0', '1'], integer(0));
  trace.request(atMs + 2, connection, ['ZCOUNT', QUEUE, '-inf', '+inf'], integer(held));
  if (!member) return;
  trace.request(atMs + 4, connection, ['ZADD', QUEUE, String(atMs / 1000), member], integer(1));
  trace.request(atMs + 6, connection, ['EXPIRE', QUEUE, '60'], integer(1));
}

describe('over-capacity of send', () => {
  /** Two sends found room; the capacity is 2, as a group_send says. */
  function full(): ScriptedTrace {
    const trace = new ScriptedTrace();
    trace.watermarkUs = 5_000_000;
    trace.join(1, 1, ANNA);
    trace.request(5, 1, ['EVAL', 'x', '1', QUEUE, message(0), '2', '0.005', '60'], integer(0));
    trace.receive(6, 2, message(0));
    trace.restore(20, 2);
    trace.poll(22, 2, null);
    send(trace, 100, 5, 0, message(1));
    send(trace, 200, 5, 1, message(2));
    return trace;
  }

  it('ZCOUNT at its capacity and no ZADD after it', () => {
    const trace = full();
    send(trace, 300, 5, 2);
    expect(unsentOf(trace)).toMatchObject([{ verdict: 'rejected', cause: 'over-capacity', queue: QUEUE }]);
    const { findings, summary } = analyze(trace, { ask: 'losses' });
    expect(summary.rejected).toBe(1);
    const refused = findings.find(({ verdict }) => verdict === 'rejected');
    expect(refused).toMatchObject({ sender: null, count: null, member: null, queue: QUEUE });
    expect(refused?.explanation).toContain('counted 2 in the queue, and no ZADD followed: its capacity is 2');
  });

  it('asked about a count that no operation carries: it may be the one that was refused', () => {
    const trace = full();
    send(trace, 300, 5, 2);
    send(trace, 400, 5, 1, message(4));
    expect(analyze(trace, { ask: 'message', sender: 's', count: 3 }).findings).toMatchObject([
      { verdict: 'indeterminate', alternatives: ['over-capacity', 'never-sent'] },
    ]);
    expect(analyze(trace, { ask: 'message', sender: 's', count: 9 }).findings).toMatchObject([
      { verdict: 'never-sent' }, // sent after the refusal, if ever
    ]);
  });

  it('innocent twin: the connection is cut between ZCOUNT and ZADD', () => {
    const trace = full();
    send(trace, 300, 5, 2);
    trace.disconnect(305, 5);
    expect(unsentOf(trace)).toMatchObject([
      { verdict: 'indeterminate', cause: null, alternatives: ['over-capacity', 'never-sent'] },
    ]);
  });

  it('undecided: what ZCOUNT counted is in a hole of the trace', () => {
    const trace = full();
    trace.request(300, 5, ['ZREMRANGEBYSCORE', QUEUE, '0', '0'], null, { noReply: true });
    trace.request(302, 5, ['ZCOUNT', QUEUE, '-inf', '+inf'], null, { noReply: true });
    expect(unsentOf(trace)).toEqual([]); // no reply and no hole: nothing is known of it
    trace.hole(299, 310, { direction: 'redis' });
    expect(unsentOf(trace)).toMatchObject([
      { verdict: 'indeterminate', cause: null, alternatives: ['over-capacity', 'never-sent'] },
    ]);
  });

  it('innocent twin: the ZADD went out on another connection of the pool', () => {
    const trace = full();
    send(trace, 300, 5, 2);
    trace.request(304, 6, ['ZADD', QUEUE, '0.3', message(3)], integer(1));
    expect(unsentOf(trace)).toMatchObject([{ verdict: 'indeterminate' }]);
  });

  it('innocent twin: there was room, so it was not the queue that stopped this send', () => {
    const trace = full();
    send(trace, 300, 5, 1);
    expect(unsentOf(trace)).toEqual([]);
  });

  it('innocent twin: a count that no trim came before is of somebody who only looks', () => {
    const trace = full();
    trace.request(20_000, 7, ['ZCOUNT', QUEUE, '-inf', '+inf'], integer(2));
    expect(unsentOf(trace)).toEqual([]);
  });

  it('without a capacity in sight one count is undecided, and three that agree make a limit', () => {
    const trace = new ScriptedTrace();
    trace.watermarkUs = 5_000_000;
    send(trace, 100, 5, 0, message(1));
    send(trace, 200, 5, 1, message(2));
    send(trace, 300, 5, 2);
    expect(unsentOf(trace)).toMatchObject([{ verdict: 'indeterminate' }]);
    for (const at of [400, 500]) send(trace, at, 5, 2);
    expect(unsentOf(trace).map(({ cause }) => cause)).toEqual(Array(3).fill('over-capacity'));
  });
});
