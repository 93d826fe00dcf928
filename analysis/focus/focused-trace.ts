/**
 * A part of a trace as a trace: some operations within a span, with all connections and samples of the whole. What was left out is declared as
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
  TraceSample,
} from '../../proxy/trace/trace.js';
import { Evidence } from '../evidence.js';
import type { PayloadFields } from '../payload.js';

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

export class FocusedTrace implements Trace {
  readonly #whole: Trace;
  readonly #ids: readonly number[];
  readonly #span: Span;

  /** `ids`: of the operations that it has, ascending; some may be from outside the span. */
  constructor(whole: Trace, ids: readonly number[], span: Span) {
    this.#whole = whole;
    this.#ids = ids;
    this.#span = span;
  }

  /** Of one connection: all within the span. */
  operations(filter: OperationFilter = {}): IterableIterator<TraceOperation> {
    if (filter.connection === undefined) return this.#whole.operations({ ...filter, ids: this.#ids });
    const { fromId, beforeId } = this.#span;
    const { afterId = 0, untilId = Number.MAX_SAFE_INTEGER } = filter;
    return this.#whole.operations({
      ...filter,
      afterId: Math.max(afterId, fromId - 1),
      untilId: Math.min(untilId, beforeId - 1),
    });
  }

  *holes(): IterableIterator<TraceHole> {
    yield* this.#whole.holes();
    const { fromUs, toUs } = this.#span;
    const everything = { connection: null, direction: null, byteOffset: null, bytes: 0, detail: '' };
    if (fromUs !== null) yield { ...everything, id: -1, fromUs: 0, toUs: fromUs, reason: LEFT_OUT };
    if (toUs !== null) yield { ...everything, id: -2, fromUs: toUs, toUs: null, reason: LEFT_OUT };
  }

  *pushes(_kinds?: readonly PushKind[]): IterableIterator<TracePush> {}

  get path(): string {
    return this.#whole.path;
  }
  get meta(): ReadonlyMap<string, string> {
    return this.#whole.meta;
  }
  get startedUnixUs(): number {
    return this.#whole.startedUnixUs;
  }
  get watermarkUs(): number {
    return this.#whole.watermarkUs;
  }
  get live(): boolean {
    return this.#whole.live;
  }
  get endMarker(): boolean {
    return this.#whole.endMarker;
  }
  operation(id: number): TraceOperation | undefined {
    return this.#whole.operation(id);
  }
  operationCount(afterId?: number, untilId?: number): number {
    return this.#whole.operationCount(afterId, untilId);
  }
  operationIds(keys: readonly string[], fromId: number, beforeId: number): IterableIterator<number> {
    return this.#whole.operationIds(keys, fromId, beforeId);
  }
  idAt(us: number): number {
    return this.#whole.idAt(us);
  }
  connections(): IterableIterator<TraceConnection> {
    return this.#whole.connections();
  }
  connection(id: number): TraceConnection | undefined {
    return this.#whole.connection(id);
  }
  samples(): IterableIterator<TraceSample> {
    return this.#whole.samples();
  }
  snapshot<T>(read: () => T): T {
    return this.#whole.snapshot(read);
  }
  sql(statement: string): IterableIterator<Readonly<Record<string, unknown>>> {
    return this.#whole.sql(statement);
  }
  close(): void {
    this.#whole.close();
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
