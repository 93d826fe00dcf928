/**
 * The audit of a large trace: what `audit` says (../audit.ts), in memory that hardly grows with the trace. One pass sifts out what was plainly delivered; the
 * rest is judged by what the trace shows around it. The report is that of the whole trace.
 */

import { HeapGarbage } from '../../proxy/trace/garbage.js';
import type { Trace } from '../../proxy/trace/trace.js';
import type { OtherPop } from '../audit/beside-departures.js';
import { type Fate, fateOf } from '../audit/fate.js';
import { roomOf } from '../audit/moments.js';
import type { Counted } from '../audit/totals.js';
import { type Audit, type AuditMaterial, lastPop, reportOf } from '../audit.js';
import { spanOf } from '../focus/focused-trace.js';
import { Look } from '../focus/look.js';
import { ReadOperations } from '../focus/read-operations.js';
import { type Filling, fullest } from '../hints/filling.js';
import { type SentInStall, type UnpolledSpan, unpolledSpansOf } from '../hints/unpolled.js';
import type { QueueHistory } from '../journey.js';
import type { PayloadFields } from '../payload.js';
import { processOf, stepOf } from '../profiles/channel-layer.js';
import { patienceUs, stallBetween } from '../readers.js';
import { innocentFates } from './innocent-fates.js';
import { KnownBySift } from './known.js';
import { Sift } from './sift.js';
import { SiftedEvidence } from './sifted-evidence.js';
import { LEFT_BYTES, type Looking, type Suspect, Suspects, unsettled } from './suspects.js';

/** A trace of no more operations than this fits into memory as a whole. */
const HELD_WHOLE = 2_000_000;

/** An audit whose fates are read from the trace as they are asked for. */
export interface SiftedAudit extends Omit<Audit, 'fates'> {
  readonly fates: Iterable<Fate>;
}

/** Null: this trace takes an audit of the whole. */
export function siftedAudit(trace: Trace, fields: PayloadFields, looking?: Looking): SiftedAudit | null {
  const connections = new Map([...trace.connections()].map((connection) => [connection.id, connection]));
  const sift = new Sift(trace, connections, [...trace.holes()]);
  for (const operation of trace.operations()) {
    sift.add(operation);
    if (sift.refused !== null) return null;
  }
  sift.end(trace.watermarkUs);
  const known = new KnownBySift(sift, trace, connections);
  const garbage = new HeapGarbage(LEFT_BYTES);
  const suspects = new Suspects(sift, known, trace, fields, garbage, looking);
  const left = suspects.judge();
  if (left.length > 0 && sift.operations <= HELD_WHOLE) return null;
  const judged = [...suspects.judged, ...left.map((message) => unsettled(message, fields))];
  judged.sort((a, b) => a.at - b.at);
  return new Auditor(sift, known, judged, trace, fields, garbage).audit();
}

class Auditor {
  readonly #sift: Sift;
  readonly #known: KnownBySift;
  readonly #suspects: readonly Suspect[];
  readonly #trace: Trace;
  readonly #fields: PayloadFields;
  readonly #evidence: SiftedEvidence;
  readonly #garbage: HeapGarbage;

  constructor(
    sift: Sift,
    known: KnownBySift,
    suspects: readonly Suspect[],
    trace: Trace,
    fields: PayloadFields,
    garbage: HeapGarbage,
  ) {
    this.#garbage = garbage;
    this.#sift = sift;
    this.#known = known;
    this.#suspects = suspects;
    this.#trace = trace;
    this.#fields = fields;
    this.#evidence = new SiftedEvidence(sift, known, trace, fields);
  }

  audit(): SiftedAudit {
    const judgements = this.#suspects.map(({ judgement }) => judgement);
    const lostPops = new Set(this.#suspects.flatMap(({ lostPop }) => lostPop ?? []));
    const material: AuditMaterial = {
      operations: this.#sift.operations,
      judgements,
      counted: this.#counted(),
      pops: () => this.#pops(),
      roomsOf: (queues) => this.#roomsOf(queues),
      hints: {
        conduct: (connection) => this.#evidence.conduct(connection, lostPops),
        unpolled: () => this.#unpolled(),
        clocks: () => this.#sift.clocks.all(),
        fullest: (queue) => this.#fullest(queue),
        brought: ({ id }) => this.#brought(id),
      },
    };
    const report = reportOf(this.#trace, this.#evidence, material);
    return { ...report, fates: { [Symbol.iterator]: () => this.#fates() } };
  }

  /** In the order in which the first of each kind is seen. */
  #counted(): Counted[] {
    const counted: { at: number; readonly of: Counted }[] = this.#suspects.map(({ at, judgement }) => ({
      at,
      of: judgement,
    }));
    const plain = new Map<
      string,
      { at: number; messages: number; readonly queue: number; readonly taker: number }
    >();
    for (const { at, queue, taker } of this.#sift.innocents.all()) {
      const key = `${queue} ${taker}`;
      const known = plain.get(key);
      if (!known) plain.set(key, { at, messages: 1, queue, taker });
      else {
        known.messages++;
        known.at = Math.min(known.at, at);
      }
    }
    for (const { at, messages, queue, taker } of plain.values()) {
      const { name } = this.#sift.queueOf(queue);
      const of = {
        verdict: 'delivered',
        cause: null,
        queue: name,
        process: processOf(name),
        taker,
        messages,
      } as const;
      counted.push({ at, of });
    }
    return counted.sort((a, b) => a.at - b.at).map(({ of }) => of);
  }

  *#pops(): Generator<OtherPop> {
    for (const { queue, pop, poppedUs } of this.#sift.innocents.all())
      yield { queue: this.#sift.queueOf(queue).name, id: pop, atUs: poppedUs };
    for (const { judgement } of this.#suspects) yield* lastPop(judgement);
  }

  #roomsOf(queues: ReadonlySet<string>) {
    const first = new Map<string, number>();
    const seen = (queue: string, at: number): void => {
      if (queues.has(queue)) first.set(queue, Math.min(first.get(queue) ?? at, at));
    };
    for (const { queue, at } of this.#sift.innocents.all()) seen(this.#sift.queueOf(queue).name, at);
    for (const { judgement, at } of this.#suspects) seen(judgement.queue, at);
    return [...first]
      .sort(([, a], [, b]) => a - b)
      .map(([queue]) => {
        const lists = [...(this.#sift.queues.get(queue)?.recipients ?? [])];
        const rooms = lists.flatMap((list) => {
          const payload = { recipients: this.#sift.recipients.of(list) };
          return roomOf({ queue, payload }, this.#evidence) ?? [];
        });
        return [queue, new Set(rooms)] as const;
      });
  }

  #unpolled(): UnpolledSpan[] {
    return [...this.#evidence.journeys.queues.values()].flatMap((queue) =>
      unpolledSpansOf(queue, this.#sentInStalls(queue), this.#evidence),
    );
  }

  #sentInStalls(queue: QueueHistory): SentInStall[] {
    const sifted = this.#sift.queues.get(queue.name);
    const reading = this.#known.reading(queue.name) ?? [];
    const sent = (sifted?.silences ?? []).flatMap(({ fromUs, last, next, sent }) => {
      const stall = stallBetween(last, next, fromUs, this.#evidence.endUs, patienceUs(queue), reading);
      return stall
        ? sent.map(({ at, enqueue, recipients }) => ({ at, of: { stall, enqueue, recipients } }))
        : [];
    });
    return sent
      .filter(({ of: { stall, enqueue } }) => enqueue.requestedUs >= stall.fromUs)
      .sort((a, b) => a.at - b.at)
      .map(({ of }) => of);
  }

  /** From looks at when it was crowded. */
  #fullest({ name }: QueueHistory): Filling | null {
    const queue = this.#sift.queues.get(name);
    if (!queue) return null;
    const [trace, fields, known] = [this.#trace, this.#fields, this.#known];
    let most: Filling | null = null;
    for (const { fromUs, toUs, most: atMost } of queue.crowded) {
      if (most && atMost <= most.depth) continue;
      const span = spanOf(fromUs - AROUND_US, toUs + AROUND_US, trace);
      const look = new Look(queue, span, { trace, fields, known, read: new ReadOperations(trace) });
      this.#garbage.left();
      const history = look.evidence.journeys.queues.get(name);
      const filling = history ? fullest(history, look.evidence) : null;
      if (filling && (!most || most.depth < filling.depth)) most = filling;
      // No send is accepted beyond that.
      if (most && most.depth >= most.capacity) break;
    }
    return most;
  }

  #brought(id: number): boolean {
    const operation = this.#trace.operation(id);
    const step = operation && stepOf(operation, operation.reply);
    return (
      (step?.step === 'poll' && step.taken !== null) || (step?.step === 'take' && step.members.length > 0)
    );
  }

  *#fates(): Generator<Fate> {
    let next = 0;
    const until = function* (suspects: readonly Suspect[], at: number): Generator<Suspect> {
      for (let one = suspects[next]; one && one.at < at; one = suspects[next]) {
        next++;
        yield one;
      }
    };
    for (const { at, fate } of innocentFates(this.#sift, this.#trace, this.#fields, this.#evidence)) {
      for (const { judgement } of until(this.#suspects, at)) yield fateOf(judgement, this.#evidence);
      yield fate;
    }
    for (const { judgement } of until(this.#suspects, Number.POSITIVE_INFINITY))
      yield fateOf(judgement, this.#evidence);
  }
}

const AROUND_US = 100_000;
