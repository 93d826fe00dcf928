/**
 * What holes may hide, found without going through all of them for each message: a trace may have a hole for every reply that was cut.
 */
import type { Trace, TraceHole } from '../proxy/trace/trace.js';
import { append } from './append.js';
import { FirstFitting } from './first-fitting.js';
import { NOT_YET_RECORDED, SeveralTraces } from './several-traces.js';

type ConnectionsOf = ReadonlyMap<string, ReadonlySet<number>>;

export class HiddenByHoles {
  readonly #trace: Trace;
  readonly #connectionsOf: ConnectionsOf;
  /** Without those that blank arguments of AUTH and its like: all else of these is known. */
  readonly #holes: readonly TraceHole[];
  /** Where only Redis' bytes are missing, the requests are all there: that connection hides nothing of queues it never names. */
  readonly #ofReplies = new Map<number, TraceHole[]>();
  readonly #ofAnyQueue: FirstFitting<TraceHole>;
  readonly #ofQueue = new Map<string, FirstFitting<TraceHole>>();
  readonly #ofRequests: FirstFitting<TraceHole>;

  constructor(holes: readonly TraceHole[], trace: Trace, connectionsOf: ConnectionsOf) {
    this.#trace = trace;
    this.#connectionsOf = connectionsOf;
    this.#holes = holes.filter(({ reason }) => reason !== 'redacted');
    for (const hole of this.#holes) {
      if (!isOfReplies(hole) || hole.connection === null) continue;
      append(this.#ofReplies, hole.connection, hole);
    }
    this.#ofAnyQueue = indexed(this.#holes.filter((hole) => !isOfReplies(hole)));
    // A group is on one host: where its leaves are not yet recorded, its joins are not either.
    this.#ofRequests = indexed(
      this.#holes.filter(({ reason, direction }) => reason !== NOT_YET_RECORDED && direction !== 'redis'),
    );
  }

  /** Holes that could hide an operation on this queue within the span. */
  *ofQueue(
    queue: string,
    { fromUs, toUs }: { readonly fromUs: number; readonly toUs: number },
  ): Generator<TraceHole, undefined> {
    const index = this.#indexOf(queue);
    for (const hole of index.all((from = 0, to = 0) => -from <= toUs && to >= fromUs))
      if (isOfReplies(hole) || this.#isOnTheHostOf(queue, hole)) yield hole;
  }

  /** Holes that could hide a request within a time. */
  *ofRequests(fromUs: number, toUs: number): Generator<TraceHole, undefined> {
    for (const hole of this.#ofRequests.all((from = 0, to = 0) => -from <= toUs && to >= fromUs))
      if ((hole.toUs ?? toUs) >= fromUs) yield hole;
  }

  #indexOf(queue: string): FirstFitting<TraceHole> {
    let index = this.#ofQueue.get(queue);
    if (!index) {
      const connections = this.#connectionsOf.get(queue) ?? new Set<number>();
      index = [...connections].some((connection) => this.#ofReplies.has(connection))
        ? indexed(this.#holes.filter((hole) => !isOfReplies(hole) || connections.has(hole.connection ?? 0)))
        : this.#ofAnyQueue;
      this.#ofQueue.set(queue, index);
    }
    return index;
  }

  /** Of several hosts, another's operations are not this queue's. */
  #isOnTheHostOf(queue: string, hole: TraceHole): boolean {
    const traces = this.#trace;
    if (!(traces instanceof SeveralTraces)) return true;
    const [connection] = this.#connectionsOf.get(queue) ?? [];
    return connection === undefined || traces.hostOf(connection) === traces.hostOf(hole.id);
  }
}

function indexed(holes: readonly TraceHole[]): FirstFitting<TraceHole> {
  return new FirstFitting(holes, ({ fromUs, toUs }) => [-fromUs, toUs ?? Number.POSITIVE_INFINITY]);
}

function isOfReplies({ direction, connection }: TraceHole): boolean {
  return direction === 'redis' && connection !== null;
}
