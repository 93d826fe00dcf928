import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RETENTION, type TraceHole, type TraceOperation } from '../../proxy/trace/trace.js';
import { Evidence } from '../evidence.js';
import { consumerChannel, PubSubScript, published, ROOM } from '../testing/scripted-pubsub.js';
import { ScriptedTrace } from '../testing/scripted-trace.js';
import { PubSubJudge } from './judge.js';

const ANNA = consumerChannel('anna');
const BERT = consumerChannel('bert');
const CARL = consumerChannel('carl');
const bell = published('bell', 1);

/** Some of everything: healthy messages, equal ones, a gap, an overflow, a join, a departure, an empty room. */
function eventful(): ScriptedTrace {
  const trace = new ScriptedTrace();
  const script = new PubSubScript(trace);
  let count = 0;
  const send = (
    atMs: number,
    to: readonly number[],
    { member = published('s', count++), reached = to.length } = {},
  ) => {
    script.publish(atMs, member, reached);
    for (const connection of to) script.heard(atMs + 1, connection, member);
  };
  send(5, []);
  script.subscribe(10, 2, [ANNA, ROOM]);
  script.subscribe(20, 3, [BERT, ROOM]);
  for (const at of [100, 150, 200]) send(at, [2, 3]);
  for (const at of [250, 300]) send(at, [2, 3], { member: bell });
  trace.disconnect(400, 3, 'redis');
  for (const at of [450, 600, 900]) send(at, [2]); // Bert's process is not there
  script.subscribe(1400, 4, [BERT, ROOM]);
  send(1500, [2, 4]);
  script.subscribe(1590, 5, [CARL, ROOM], { tookMs: 20 });
  send(1600, [2, 4], { member: bell });
  send(1700, [2, 4, 5]);
  const late = published('s', count++);
  script.publish(1800, late, 3);
  for (const connection of [2, 4]) script.heard(1801, connection, late);
  script.heard(1801, 5, late, 300);
  send(1900, [2, 4], { reached: 3 }); // Carl's process does not read
  trace.disconnect(2300, 5, 'redis');
  script.unsubscribe(2400, 2, [ROOM]);
  for (const at of [2500, 2600]) send(at, [4]);
  script.unsubscribe(2700, 4, [ROOM]);
  send(2800, []);
  trace.watermarkUs = 9_000_000;
  return trace;
}

/** The same, without what was in the hole. */
class Holed extends ScriptedTrace {
  constructor(
    readonly whole: ScriptedTrace,
    readonly cut: TraceHole,
  ) {
    super();
    this.watermarkUs = whole.watermarkUs;
  }

  #hides(connection: number, direction: 'client' | 'redis', atUs: number | null): boolean {
    const { cut } = this;
    return (
      atUs !== null &&
      (cut.connection === null || cut.connection === connection) &&
      (cut.direction === null || cut.direction === direction) &&
      atUs >= cut.fromUs &&
      atUs <= (cut.toUs ?? Number.POSITIVE_INFINITY)
    );
  }

  override *operations(filter: { commands?: readonly string[] } = {}): IterableIterator<TraceOperation> {
    for (const one of this.whole.operations(filter)) {
      if (this.#hides(one.connection, 'client', one.requestedUs)) continue;
      const silent = this.#hides(one.connection, 'redis', one.repliedUs);
      yield silent ? { ...one, repliedUs: null, flushedUs: null, replyKind: null, reply: null } : one;
    }
  }

  override *pushes(...kinds: Parameters<ScriptedTrace['pushes']>) {
    for (const push of this.whole.pushes(...kinds))
      if (!this.#hides(push.connection, 'redis', push.receivedUs)) yield push;
  }

  override connections() {
    return this.whole.connections();
  }

  override *holes() {
    yield this.cut;
  }
}

/** Of each message, by when it was published, what became of it; the order of several does not matter. */
function verdicts(trace: ScriptedTrace): Map<number, string[]> {
  const found = new Map<number, string[]>();
  for (const { publication, verdict, cause } of new PubSubJudge(trace, new Evidence(trace)).all()) {
    const at = publication.mark.requestedUs;
    found.set(at, [...(found.get(at) ?? []), cause ?? verdict].sort());
  }
  return found;
}

const hole = fc
  .record({
    connection: fc.constantFrom(null, 1, 2, 3, 4, 5),
    direction: fc.constantFrom<TraceHole['direction']>(null, 'client', 'redis'),
    fromMs: fc.integer({ min: 0, max: 2900 }),
    forMs: fc.option(fc.integer({ min: 0, max: 1500 })),
  })
  .map(
    ({ connection, direction, fromMs, forMs }): TraceHole => ({
      ...{ id: 1, connection, direction, byteOffset: null, bytes: 100, reason: 'dropped', detail: '' },
      fromUs: fromMs * 1000,
      toUs: forMs === null ? null : (fromMs + forMs) * 1000,
    }),
  );

it('the whole trace has a message of every kind', () => {
  const kinds = new Set([...verdicts(eventful()).values()].flat());
  expect([...kinds].sort()).toEqual([
    'delivered',
    'output-buffer-overflow',
    'recipients-left',
    'resubscribe-gap',
  ]);
});

it('whatever is cut out of a trace, a verdict stays or becomes undecided', () => {
  const whole = eventful();
  const known = verdicts(whole);
  fc.assert(
    fc.property(hole, (cut) => {
      for (const [at, found] of verdicts(new Holed(whole, cut)))
        if (!found.includes('indeterminate')) expect([at, found]).toEqual([at, known.get(at)]);
    }),
    { numRuns: 1000 },
  );
});

it('wherever a trace begins, because what was older was dropped, a verdict stays or becomes undecided', () => {
  const whole = eventful();
  const known = verdicts(whole);
  const everything = { connection: null, direction: null, byteOffset: null, bytes: 0, detail: '' };
  for (let ms = 0; ms <= 2900; ms += 5) {
    const cut = { ...everything, id: 0, fromUs: 0, toUs: ms * 1000, reason: RETENTION };
    for (const [at, found] of verdicts(new Holed(whole, cut)))
      if (!found.includes('indeterminate')) expect([ms, at, found]).toEqual([ms, at, known.get(at)]);
  }
});
