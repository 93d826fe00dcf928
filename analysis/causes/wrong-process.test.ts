import { expect, it } from 'vitest';
import { Evidence } from '../evidence.js';
import { Judge } from '../judge.js';
import { integer, memberOf, PROCESS, ScriptedTrace } from '../testing/scripted-trace.js';

// Two processes share a client prefix, and so a queue: Anna lives in the one on connection 2, Bert in the one on connection 3.

const ANNA = `${PROCESS}anna`;
const BERT = `${PROCESS}bert`;
const message = (count: number) => memberOf('s', count, [ANNA, BERT]);

/** Both processes poll at 100 ms; each gets one message and backs it up. Then `taker` takes count 3. */
function shared(taker: number): ScriptedTrace {
  const trace = new ScriptedTrace();
  trace.join(1, 2, ANNA);
  trace.join(2, 3, BERT);
  for (const [i, connection] of [2, 3].entries()) {
    trace.restore(90 + i * 3, connection);
    trace.groupSend(200 + i * 20, 1, message(i));
    trace.poll(100 + i, connection, message(i), { tookMs: 100 + i * 20 });
    trace.backup(202 + i * 20, connection, message(i));
    trace.acknowledge(205 + i * 20, connection, message(i));
  }
  trace.groupSend(300, 1, message(3));
  trace.receive(305, taker, message(3));
  return trace;
}

function verdictOf(trace: ScriptedTrace, missedBy: readonly string[] | null) {
  const judge = new Judge(new Evidence(trace));
  const judged = judge.all().find(({ payload }) => payload.count === 3)!;
  const { verdict, cause, alternatives } = missedBy ? judge.missed(judged, missedBy) : judged;
  return { verdict, cause, alternatives };
}

it('wrong-process: the other process took it, and a client of this one missed it', () => {
  expect(verdictOf(shared(3), [ANNA])).toMatchObject({ verdict: 'lost', cause: 'wrong-process' });
});

it('wrong-process, unsaid: as long as nobody says that it was missed, it was delivered', () => {
  expect(verdictOf(shared(3), null)).toMatchObject({ verdict: 'delivered', cause: null });
});

it('innocent twin of wrong-process: two processes, but its own one took it', () => {
  expect(verdictOf(shared(3), [BERT])).toMatchObject({ verdict: 'lost', cause: 'lost-after-redis' });
});

it('wrong-process, undecided: which of its recipients missed it is not known', () => {
  expect(verdictOf(shared(3), [])).toMatchObject({
    ...{ verdict: 'indeterminate', alternatives: ['wrong-process', 'lost-after-redis'] },
  });
});

it('innocent twin of wrong-process: one process that reconnects polls on another connection, afterwards', () => {
  const trace = new ScriptedTrace();
  trace.join(1, 2, ANNA);
  trace.groupSend(100, 1, message(1));
  trace.receive(110, 2, message(1));
  trace.disconnect(130, 2);
  trace.groupSend(300, 1, message(3));
  trace.receive(305, 3, message(3));
  expect(verdictOf(trace, [ANNA])).toMatchObject({ verdict: 'lost', cause: 'lost-after-redis' });
});

it('innocent twin of wrong-process: a stray poll overlaps too, but what it brings nobody backs up', () => {
  const trace = new ScriptedTrace();
  trace.join(1, 2, ANNA);
  trace.groupSend(100, 1, message(0));
  trace.receive(110, 2, message(0));
  trace.groupSend(200, 1, message(1));
  trace.poll(130, 2, message(1), { tookMs: 71 });
  trace.groupSend(210, 1, message(2));
  trace.poll(140, 3, message(2), { tookMs: 71 });
  trace.backup(212, 3, message(2));
  trace.acknowledge(214, 3, message(2));
  trace.request(260, 2, ['PING'], integer(1));
  trace.groupSend(300, 1, message(3));
  trace.receive(305, 3, message(3));
  expect(verdictOf(trace, [ANNA])).toMatchObject({ verdict: 'lost', cause: 'lost-after-redis' });
  const stray = new Judge(new Evidence(trace)).all().find(({ payload }) => payload.count === 1);
  expect(stray).toMatchObject({ verdict: 'lost', cause: 'stray-pop' });
});
