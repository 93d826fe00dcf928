/**
 * Several traces as one: a layer with several Redis hosts has a proxy, and so a trace, before each of them. Each host holds whole
 * queues, but a process, its groups and its messages are spread over all of them, so the judges must see them side by side.
 *
 * Time 0 is the start of the earliest; the others' times are shifted by the wall clocks of their starts. Numbers of operations,
 * connections and holes are made unique by arithmetic (number * traces + which trace), so that nothing is kept in memory and each number
 * can be taken back to its own trace. The end is where the first of them ends: nobody could say what another would have shown after
 * that. Where one began later than the earliest, it has a hole until then.
 */
import { basename } from 'node:path';
import type {
  OperationFilter,
  PushKind,
  Reply,
  Trace,
  TraceConnection,
  TraceHole,
  TraceOperation,
  TracePush,
  TraceSample,
  TraceUse,
} from '../proxy/trace/trace.js';
import { GaptraceError } from '../terminal/errors.js';

/** The one trace itself where there is only one. */
export function joinTraces(traces: readonly Trace[]): Trace {
  const [only] = traces;
  return traces.length === 1 && only ? only : new SeveralTraces(traces);
}

/** Where an operation or a connection of several traces is at home. */
export interface Origin {
  readonly trace: Trace;
  /** What its own trace calls it. */
  readonly id: number;
}

export class SeveralTraces implements Trace {
  readonly traces: readonly Trace[];
  readonly path: string;
  readonly meta: ReadonlyMap<string, string>;
  readonly startedUnixUs: number;
  readonly watermarkUs: number;
  readonly live: boolean;
  readonly endMarker: boolean;
  /** Per trace: what to add to its times. */
  readonly #shifts: readonly number[];
  /** Per trace: the first trace before the same Redis. */
  readonly #hosts: readonly number[];

  constructor(traces: readonly Trace[]) {
    this.traces = traces;
    this.path = traces.map(({ path }) => path).join(', ');
    this.startedUnixUs = Math.min(...traces.map((trace) => trace.startedUnixUs));
    this.#shifts = traces.map((trace) => trace.startedUnixUs - this.startedUnixUs);
    this.watermarkUs = Math.min(...traces.map((trace, at) => trace.watermarkUs + this.#shift(at)));
    this.live = traces.some(({ live }) => live);
    this.endMarker = traces.every(({ endMarker }) => endMarker);
    this.meta = sharedMeta(traces);
    this.#hosts = hostsOf(traces);
    const last = traces[this.#shifts.indexOf(Math.max(...this.#shifts))];
    if (this.watermarkUs <= Math.max(...this.#shifts))
      throw new GaptraceError(
        'GAPTRACE_USAGE',
        `${this.path} are not of one time: one of them had ended before ${last?.path} began; give traces that were recorded together`,
      );
  }

  /** The Redis host of an operation, a connection or a hole, by its number here: equal for equal hosts. */
  hostOf(number: number): number {
    return this.#hosts[number % this.traces.length] ?? 0;
  }

  origin(number: number): Origin {
    const at = number % this.traces.length;
    return { trace: this.traces[at] as Trace, id: Math.floor(number / this.traces.length) };
  }

  /** What people call the trace of an operation, a connection or a hole: its file's name, or its path where two have that name. */
  nameAt(number: number): string {
    const { path } = this.origin(number).trace;
    const name = basename(path);
    return this.traces.filter((other) => basename(other.path) === name).length > 1 ? path : name;
  }

  /** In the order of requests, up to where the first trace ends. */
  *operations(filter: OperationFilter = {}): IterableIterator<TraceOperation> {
    const sources = this.traces.flatMap((trace, at) => {
      if (filter.connection !== undefined && filter.connection % this.traces.length !== at) return [];
      return [this.#numbered(trace.operations(this.#filterOf(filter, at)), at)];
    });
    for (const operation of merged(sources)) {
      if (operation.requestedUs > this.watermarkUs) return;
      yield operation;
    }
  }

  /** In the order of requests. */
  uses(): IterableIterator<TraceUse> {
    return this.operations();
  }

  operation(number: number): TraceOperation | undefined {
    const { trace, id } = this.origin(number);
    const at = number % this.traces.length;
    const operation = trace.operation(id);
    return operation && new JoinedOperation(operation, this.#shift(at), (own) => this.#number(own, at));
  }

  operationCount(afterId = 0, untilId = Number.MAX_SAFE_INTEGER): number {
    const ownOf = (number: number, at: number): number => Math.floor((number - at) / this.traces.length);
    return this.traces.reduce(
      (sum, trace, at) => sum + trace.operationCount(ownOf(afterId, at), ownOf(untilId, at)),
      0,
    );
  }

  /** Those of all traces, ascending. */
  *operationIds(keys: readonly string[], fromId: number, beforeId: number): IterableIterator<number> {
    const all = this.traces.flatMap((trace, at) => {
      const ownOf = (number: number): number => Math.ceil((number - at) / this.traces.length);
      const ids = [...trace.operationIds(keys, ownOf(fromId), ownOf(beforeId))];
      return ids.map((id) => this.#number(id, at));
    });
    yield* all.sort((a, b) => a - b);
  }

  idAt(us: number): number {
    return Math.min(...this.traces.map((trace, at) => this.#number(trace.idAt(us - this.#shift(at)), at)));
  }

  /** One trace's after another's; up to where the first trace ends. */
  *pushes(kinds?: readonly PushKind[]): IterableIterator<TracePush> {
    for (const [at, trace] of this.traces.entries())
      for (const push of trace.pushes(kinds)) {
        const joined = this.#pushOf(push, at);
        if (joined.receivedUs <= this.watermarkUs) yield joined;
      }
  }

  *connections(): IterableIterator<TraceConnection> {
    for (const [at, trace] of this.traces.entries())
      for (const connection of trace.connections()) yield this.#connectionOf(connection, at);
  }

  connection(number: number): TraceConnection | undefined {
    const { trace, id } = this.origin(number);
    const connection = trace.connection(id);
    return connection && this.#connectionOf(connection, number % this.traces.length);
  }

  /** Those of each trace, and the time before it began. */
  *holes(): IterableIterator<TraceHole> {
    for (const [at, trace] of this.traces.entries()) {
      yield* this.#late(at);
      for (const hole of trace.holes())
        yield {
          ...hole,
          id: this.#number(hole.id, at),
          connection: hole.connection === null ? null : this.#number(hole.connection, at),
          fromUs: hole.fromUs + this.#shift(at),
          toUs: later(hole.toUs, this.#shift(at)),
          trace: this.nameAt(at),
        };
    }
  }

  /** INFO of one Redis says nothing of another: none where they are several. */
  *samples(): IterableIterator<TraceSample> {
    const [first] = this.traces;
    if (first && new Set(this.#hosts).size === 1) yield* this.#shifted(first.samples());
  }

  snapshot<T>(read: () => T): T {
    return this.traces.reduceRight<() => T>((inner, trace) => () => trace.snapshot(inner), read)();
  }

  /** The statement's rows in each trace, with `trace` added. Times (columns in `_us`) are shifted; numbers are the trace's own. */
  *sql(statement: string): IterableIterator<Readonly<Record<string, unknown>>> {
    for (const [at, trace] of this.traces.entries())
      for (const row of trace.sql(statement)) {
        const shifted = Object.entries(row).map(([column, value]) => [
          column,
          column.endsWith('_us') && typeof value === 'number' ? value + this.#shift(at) : value,
        ]);
        yield { ...Object.fromEntries(shifted), trace: trace.path };
      }
  }

  close(): void {
    for (const trace of this.traces) trace.close();
  }

  *#shifted(samples: Iterable<TraceSample>): IterableIterator<TraceSample> {
    for (const sample of samples) yield { ...sample, atUs: sample.atUs + this.#shift(0) };
  }

  #shift(at: number): number {
    return this.#shifts[at] ?? 0;
  }

  #number(own: number, at: number): number {
    return own * this.traces.length + at;
  }

  *#numbered(operations: Iterable<TraceOperation>, at: number): IterableIterator<TraceOperation> {
    for (const operation of operations)
      yield new JoinedOperation(operation, this.#shift(at), (own) => this.#number(own, at));
  }

  #filterOf(filter: OperationFilter, at: number): OperationFilter {
    const { connection, connections, sinceUs, untilUs, afterId, untilId, ids, ...rest } = filter;
    const ownOf = (number: number): number => Math.floor((number - at) / this.traces.length);
    return {
      ...rest,
      ...(connection === undefined ? {} : { connection: ownOf(connection) }),
      ...(connections === undefined
        ? {}
        : { connections: connections.filter((one) => one % this.traces.length === at).map(ownOf) }),
      ...(sinceUs === undefined ? {} : { sinceUs: sinceUs - this.#shift(at) }),
      ...(untilUs === undefined ? {} : { untilUs: untilUs - this.#shift(at) }),
      ...(afterId === undefined ? {} : { afterId: ownOf(afterId) }),
      ...(untilId === undefined ? {} : { untilId: ownOf(untilId) }),
      ...(ids === undefined ? {} : { ids: ids.filter((id) => id % this.traces.length === at).map(ownOf) }),
    };
  }

  #connectionOf(connection: TraceConnection, at: number): TraceConnection {
    const shift = this.#shift(at);
    return {
      ...connection,
      id: this.#number(connection.id, at),
      openedUs: connection.openedUs + shift,
      closedUs: later(connection.closedUs, shift),
      endedUs: later(connection.endedUs, shift),
    };
  }

  #pushOf(push: TracePush, at: number): TracePush {
    const { kind, channel, length } = push;
    return {
      ...{ kind, channel, length },
      id: this.#number(push.id, at),
      connection: this.#number(push.connection, at),
      receivedUs: push.receivedUs + this.#shift(at),
      flushedUs: later(push.flushedUs, this.#shift(at)),
      get frame() {
        return push.frame;
      },
    };
  }

  *#late(at: number): IterableIterator<TraceHole> {
    const toUs = this.#shift(at);
    if (toUs === 0) return;
    const everything = { connection: null, direction: null, byteOffset: null, bytes: 0, detail: '' };
    yield { ...everything, id: at, fromUs: 0, toUs, reason: NOT_YET_RECORDED, trace: this.nameAt(at) };
  }
}

/** The reason of the hole before a trace began. */
export const NOT_YET_RECORDED = 'not yet recorded';

/** An operation under its number among several traces; its bytes stay undecoded until somebody asks. */
class JoinedOperation implements TraceOperation {
  readonly id: number;
  readonly connection: number;
  readonly sequence: number;
  readonly command: string;
  readonly requestedUs: number;
  readonly repliedUs: number | null;
  readonly flushedUs: number | null;
  readonly owed: number;
  readonly pipelined: boolean;
  readonly transaction: number | null;
  readonly replyKind: TraceOperation['replyKind'];
  readonly requestLength: number;
  readonly replyLength: number;
  readonly requestCut: boolean;
  readonly replyCut: boolean;
  readonly #operation: TraceOperation;

  constructor(operation: TraceOperation, shift: number, numberOf: (own: number) => number) {
    this.#operation = operation;
    this.id = numberOf(operation.id);
    this.connection = numberOf(operation.connection);
    this.sequence = operation.sequence;
    this.command = operation.command;
    this.requestedUs = operation.requestedUs + shift;
    this.repliedUs = later(operation.repliedUs, shift);
    this.flushedUs = later(operation.flushedUs, shift);
    this.owed = operation.owed;
    this.pipelined = operation.pipelined;
    this.transaction = operation.transaction === null ? null : numberOf(operation.transaction);
    this.replyKind = operation.replyKind;
    this.requestLength = operation.requestLength;
    this.replyLength = operation.replyLength;
    this.requestCut = operation.requestCut;
    this.replyCut = operation.replyCut;
  }

  get args(): readonly Buffer[] {
    return this.#operation.args;
  }

  get reply(): Reply | null {
    return this.#operation.reply;
  }
}

function later(us: number | null, shift: number): number | null {
  return us === null ? null : us + shift;
}

function* merged(sources: readonly IterableIterator<TraceOperation>[]): IterableIterator<TraceOperation> {
  const heads = sources.map((source) => ({ source, next: source.next() }));
  for (;;) {
    let first: (typeof heads)[number] | null = null;
    for (const head of heads)
      if (!head.next.done && (!first || head.next.value.requestedUs < first.next.value.requestedUs))
        first = head;
    if (!first) return;
    yield first.next.value;
    first.next = first.source.next();
  }
}

/** What all of them say; of the added latency the largest. */
function sharedMeta(traces: readonly Trace[]): ReadonlyMap<string, string> {
  const [first, ...others] = traces;
  const shared = [...(first?.meta ?? [])].filter(([key, value]) =>
    others.every(({ meta }) => meta.get(key) === value),
  );
  const latencies = traces.map(({ meta }) => Number(meta.get('latency_us') ?? 0));
  return new Map([...shared, ['latency_us', String(Math.max(...latencies))]]);
}

/**
 * Which traces are before the same Redis: two proxies may well lead to one. Different is only what names itself so: other
 * run_ids and another upstream.
 */
function hostsOf(traces: readonly Trace[]): number[] {
  const runs = traces.map(({ meta }) => runIdsOf(meta));
  const unnamed = traces.find((_, at) => runs[at]?.size === 0);
  if (unnamed)
    throw new GaptraceError(
      'GAPTRACE_USAGE',
      `${unnamed.path} does not say which Redis it is of (a recorded capture never does), so it cannot be read with others: analyse it alone`,
    );
  const hosts = traces.map((_, at) => at);
  for (const [at, trace] of traces.entries())
    for (let before = 0; before < at; before++) {
      const sameRun = [...(runs[before] ?? [])].some((id) => runs[at]?.has(id));
      const sameUpstream = traces[before]?.meta.get('upstream') === trace.meta.get('upstream');
      const [from, to] = [hosts[at], hosts[before]];
      if (sameRun || sameUpstream)
        for (const [i, host] of hosts.entries()) if (host === from) hosts[i] = to ?? 0;
    }
  return hosts;
}

/** The first, and those that Redis had after restarts. */
function runIdsOf(meta: ReadonlyMap<string, string>): ReadonlySet<string> {
  const said = [...meta].filter(([key]) => /^redis_run_id(_change_\d+)?$/.test(key));
  return new Set(said.flatMap(([, value]) => value.split(' -> ')).filter((id) => id !== ''));
}
