/** A trace that is another one but for what a subclass says: all else is passed on to the whole. */
import type {
  OperationFilter,
  PushKind,
  Trace,
  TraceConnection,
  TraceHole,
  TraceOperation,
  TracePush,
  TraceSample,
  TraceUse,
} from '../proxy/trace/trace.js';

export abstract class PartialTrace implements Trace {
  protected readonly whole: Trace;

  constructor(whole: Trace) {
    this.whole = whole;
  }

  abstract operations(filter?: OperationFilter): IterableIterator<TraceOperation>;
  abstract operation(id: number): TraceOperation | undefined;
  abstract uses(): IterableIterator<TraceUse>;
  abstract pushes(kinds?: readonly PushKind[]): IterableIterator<TracePush>;
  abstract holes(): IterableIterator<TraceHole>;

  get path(): string {
    return this.whole.path;
  }
  get meta(): ReadonlyMap<string, string> {
    return this.whole.meta;
  }
  get startedUnixUs(): number {
    return this.whole.startedUnixUs;
  }
  get watermarkUs(): number {
    return this.whole.watermarkUs;
  }
  get live(): boolean {
    return this.whole.live;
  }
  get endMarker(): boolean {
    return this.whole.endMarker;
  }
  operationCount(afterId?: number, untilId?: number): number {
    return this.whole.operationCount(afterId, untilId);
  }
  operationIds(keys: readonly string[], fromId: number, beforeId: number): IterableIterator<number> {
    return this.whole.operationIds(keys, fromId, beforeId);
  }
  idAt(us: number): number {
    return this.whole.idAt(us);
  }
  connections(): IterableIterator<TraceConnection> {
    return this.whole.connections();
  }
  connection(id: number): TraceConnection | undefined {
    return this.whole.connection(id);
  }
  samples(): IterableIterator<TraceSample> {
    return this.whole.samples();
  }
  snapshot<T>(read: () => T): T {
    return this.whole.snapshot(read);
  }
  sql(statement: string): IterableIterator<Readonly<Record<string, unknown>>> {
    return this.whole.sql(statement);
  }
  close(): void {
    this.whole.close();
  }
}
