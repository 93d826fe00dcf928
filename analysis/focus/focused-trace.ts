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
import { Evidence } from '../evidence.js';
import { PartialTrace } from '../partial-trace.js';
import type { PayloadFields } from '../payload.js';
import type { ReadOperations } from './read-operations.js';

/** The reason of the holes around a part. */
export const LEFT_OUT = 'left out of this look';

/** Of a trace's operations those from one id to before another, requested from one moment to another. */
export interface Span {
  readonly fromId: number;
  readonly beforeId: number;
  /** Null: from the trace's beginning. */
  readonly fromUs: number | null;
  /** Null: to its end. */
  readonly toUs: number | null;
}

export class FocusedTrace extends PartialTrace {
  readonly #read: ReadOperations;
  readonly #ids: readonly number[];
  readonly #span: Span;

  /** `ids`: of the operations that it has, ascending; some may be from outside the span. */
  constructor(whole: Trace, read: ReadOperations, ids: readonly number[], span: Span) {
    super(whole);
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

  /** Those of its operations. */
  override *connections(): IterableIterator<TraceConnection> {
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

  constructor(trace: FocusedTrace, fields: PayloadFields) {
    super(trace, fields);
  }

  override *holesHiding(
    queue: string,
    span: { readonly fromUs: number; readonly toUs: number },
  ): Generator<TraceHole, undefined> {
    for (const hole of super.holesHiding(queue, span)) {
      if (hole.reason === LEFT_OUT) this.reachedOut = true;
      yield hole;
    }
  }
}
