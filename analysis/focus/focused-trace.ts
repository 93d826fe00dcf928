/**
 * A part of a trace as a trace: some operations within a span, with their connections, and the samples of the whole. What was left out is declared as
 * holes before and after the span, so that whoever judges by it knows what he does not know; of groups nothing is
 * left out that concerns the channels in question, so these holes hide no requests.
 */
import type {
  OperationFilter,
  PushKind,
  Trace,
  TraceConnection,
  TraceHole,
  TraceOperation,
  TracePush,
  TraceUse,
} from '../../proxy/trace/trace.js';
import type { ConnectionUse } from '../connection-uses.js';
import { type ComesAndGoes, Evidence, type Span as Times } from '../evidence.js';
import { type Journey, type Journeys, type QueueHistory, readJourneys } from '../journey.js';
import { PartialTrace } from '../partial-trace.js';
import type { PayloadFields } from '../payload.js';
import { EVERYTHING } from '../scope.js';
import type { ReadOperations } from './read-operations.js';

/** The reason of the holes around a part. */
export const LEFT_OUT = 'left out of this look';

/** What was requested within so long of a span's first or last moment is in it too. */
export const EDGE_US = 1000;

/** Of a trace's operations those from one id to before another, requested from one moment to another. */
export interface Span {
  readonly fromId: number;
  readonly beforeId: number;
  /** Null: from the trace's beginning. */
  readonly fromUs: number | null;
  /** Null: to its end. */
  readonly toUs: number | null;
}

/** The operations of a time. Its first and last moment count as left out, because what was then may be on either side. */
export function spanOf(fromUs: number, toUs: number, trace: Trace): Span {
  const atBeginning = fromUs <= 0;
  const atEnd = toUs >= trace.watermarkUs;
  return {
    fromId: atBeginning ? 0 : trace.idAt(fromUs - EDGE_US),
    beforeId: atEnd ? Number.MAX_SAFE_INTEGER : trace.idAt(toUs + EDGE_US),
    fromUs: atBeginning ? null : fromUs,
    toUs: atEnd ? null : toUs,
  };
}

/** What a pass over the whole trace has shown (../sift/), so that no part of it need say it. */
export interface Known extends Pick<Journeys, 'memberships' | 'seenIn' | 'connectionsOf'> {
  readonly connections: ReadonlyMap<number, TraceConnection>;
  readonly comesAndGoes: ComesAndGoes;
  /** How each connection was used. */
  readonly uses: ReadonlyMap<number, ConnectionUse>;
  /** Operations without keys that may concern every queue. */
  everywhere(): readonly number[];
  /** Connections of the process that reads a queue. */
  reading(queue: string): readonly TraceConnection[] | null;
  /** Was no request on this connection ever sent before the reply to an earlier one? */
  inStep(connection: number): boolean;
  /** Polls of a queue that were asked for before an operation and outstanding at a moment, or had just been answered. */
  pollsWaiting(queue: string, beforeId: number, atUs: number): Iterable<number>;
  /** The operation by which a transaction ended; empty where none did. */
  endOf(transaction: number): readonly number[];
  /** What names the message in its queue. Null: it is plainly delivered, or there is none. */
  operationsOf(journey: Journey): OperationsOf | null;
  /** Were all messages of the queue sent and popped through the proxy, as far as is known? */
  withoutStrangers(queue: string): boolean;
}

/** How many operations of each kind name a message. */
export interface OperationsOf {
  readonly enqueues: number;
  readonly pops: number;
  readonly backups: number;
  readonly acknowledgements: number;
  /** Of its last enqueue, as an Enqueue has it. */
  readonly membersReadUs: number | null;
}

export class FocusedTrace extends PartialTrace {
  readonly #read: ReadOperations;
  readonly #ids: readonly number[];
  readonly #span: Span;
  readonly #known: Known | undefined;

  /** `ids`: of the operations that it has, ascending; some may be from outside the span. */
  constructor(whole: Trace, read: ReadOperations, ids: readonly number[], span: Span, known?: Known) {
    super(whole);
    this.#known = known;
    this.#read = read;
    this.#ids = ids;
    this.#span = span;
  }

  /** Those of some commands, or of any; of one connection: all within the span. */
  operations({
    commands,
    connection,
    afterId = 0,
    untilId = Number.MAX_SAFE_INTEGER,
    ...others
  }: OperationFilter = {}): IterableIterator<TraceOperation> {
    if (Object.keys(others).length > 0) throw new Error('a part of a trace has no such filter');
    if (connection === undefined)
      return this.#read.of(
        this.#ids.filter((id) => id > afterId && id <= untilId),
        commands,
      );
    const { fromId, beforeId } = this.#span;
    return this.whole.operations({
      ...(commands ? { commands } : {}),
      connection,
      afterId: Math.max(afterId, fromId - 1),
      untilId: Math.min(untilId, beforeId - 1),
    });
  }

  *holes(): IterableIterator<TraceHole> {
    yield* this.whole.holes();
    const { fromUs, toUs } = this.#span;
    const everything = { connection: null, direction: null, byteOffset: null, bytes: 0, detail: '' };
    if (fromUs !== null) yield { ...everything, id: -1, fromUs: 0, toUs: fromUs, reason: LEFT_OUT };
    if (toUs !== null) yield { ...everything, id: -2, fromUs: toUs, toUs: null, reason: LEFT_OUT };
  }

  *pushes(_kinds?: readonly PushKind[]): IterableIterator<TracePush> {}

  /** All within the span. */
  uses(): IterableIterator<TraceUse> {
    const { fromId, beforeId } = this.#span;
    return this.whole.operations({ afterId: fromId - 1, untilId: beforeId - 1 });
  }

  operation(id: number): TraceOperation | undefined {
    return this.whole.operation(id);
  }

  /** Those of its operations, or all where they are known. */
  override *connections(): IterableIterator<TraceConnection> {
    if (this.#known) {
      yield* this.#known.connections.values();
      return;
    }
    const numbers = new Set([...this.#read.of(this.#ids)].map(({ connection }) => connection));
    for (const number of numbers) {
      const connection = this.whole.connection(number);
      if (connection) yield connection;
    }
  }
}

/** The evidence of a part, which notices when what was left out might matter. */
export class FocusedEvidence extends Evidence {
  /** Whether somebody asked about a time that was left out, since this was last set to false. */
  reachedOut = false;

  readonly #known: Known | undefined;
  readonly #leftOut: readonly TraceHole[];

  constructor(trace: FocusedTrace, fields: PayloadFields, known?: Known) {
    super(trace, fields, EVERYTHING, journeysOf(trace, fields, known), known?.comesAndGoes);
    this.#known = known;
    this.#leftOut = this.holes.filter(({ reason }) => reason === LEFT_OUT);
  }

  /** Of the whole trace, where that is known: the operations of a part end with it all the same. */
  override get uses(): ReadonlyMap<number, ConnectionUse> {
    return this.#known?.uses ?? super.uses;
  }

  /** Where all its operations are known, none of them is left out. */
  override holesHidingPops(journey: Journey, span: Times) {
    return this.#known?.operationsOf(journey)
      ? this.#holesOfTrace(journey.queue, span)
      : this.holesHiding(journey.queue, span);
  }

  /** Of who comes and goes, nothing is left out. */
  override *requestsHidden(fromUs: number, toUs: number): Generator<TraceHole, undefined> {
    for (const hole of super.requestsHidden(fromUs, toUs))
      if (!this.#known || hole.reason !== LEFT_OUT) yield hole;
  }

  override isPlain(journey: Journey): boolean {
    return this.#known?.operationsOf(journey) === null;
  }

  /** A connection that was in step all the time has nothing to hide before. */
  override holesHidingConduct(connection: number, queue: string, span: Times) {
    return this.#known?.inStep(connection) ? this.#holesOfTrace(queue, span) : this.holesHiding(queue, span);
  }

  /** Whether the part shows it all is for the look to say. */
  override holesHidingWhatWaits(queue: string, span: Times) {
    return this.#known ? this.#holesOfTrace(queue, span) : this.holesHiding(queue, span);
  }

  override connectionsReading({ name }: QueueHistory): readonly TraceConnection[] | null {
    return this.#known?.reading(name) ?? null;
  }

  *#holesOfTrace(queue: string, span: Times): Generator<TraceHole, undefined> {
    for (const hole of super.holesHiding(queue, span)) if (hole.reason !== LEFT_OUT) yield hole;
  }

  #repliesElsewhere(queue: string, span: Times): boolean {
    return this.holes.some(
      (hole) =>
        hole.direction === 'redis' &&
        hole.connection !== null &&
        overlaps(hole, span) &&
        !this.journeys.connectionsOf.get(queue)?.has(hole.connection),
    );
  }

  override *holesHiding(queue: string, span: Times): Generator<TraceHole, undefined> {
    // Also where another hole is the first that is found: without what was left out nobody might have asked.
    if (this.#leftOut.some((hole) => overlaps(hole, span))) this.reachedOut = true;
    // Replies on a connection that the part does not show at this queue: the whole trace may.
    if (!this.#known && this.#repliesElsewhere(queue, span)) this.reachedOut = true;
    yield* super.holesHiding(queue, span);
  }
}

/** Who came and went, and when senders saw it, is what the whole trace says, where that is known. */
function journeysOf(trace: FocusedTrace, fields: PayloadFields, known: Known | undefined): Journeys {
  const read = readJourneys(trace, fields);
  if (!known) return read;
  for (const journey of read.journeys) {
    const of = known.operationsOf(journey);
    const last = of && journey.enqueues.pop();
    if (last) journey.enqueues.push({ ...last, membersReadUs: of.membersReadUs });
  }
  const { memberships, seenIn, connectionsOf } = known;
  return { ...read, memberships, seenIn, connectionsOf };
}

function overlaps({ fromUs, toUs }: TraceHole, span: Times): boolean {
  return fromUs <= span.toUs && (toUs ?? Infinity) >= span.fromUs;
}
