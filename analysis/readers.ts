/**
 * The process that reads a queue, as its connections show it: the ones that ever received from the queue. Is it gone (all of them closed,
 * and the queue never polled again), or does it live and has it stopped to poll? A healthy receiver asks again when its poll times
 * out, so a silence longer than that, with connections open, is a receiver that does not receive.
 */
import type { TraceConnection } from '../proxy/trace/trace.js';
import type { Mark, QueueHistory } from './journey.js';
import { countWhile } from './moment.js';

/** A time in which nobody polled the queue, though its process lived. */
export interface Stall {
  readonly fromUs: number;
  readonly toUs: number;
  /** The last step of receiving before it. */
  readonly last: Mark;
  /** The one that ended it; null: none came to the end of the trace. */
  readonly next: Mark | null;
  /** A connection of the process that stayed open. */
  readonly open: number;
}

export interface Gone {
  /** When the last of its connections was closed. */
  readonly sinceUs: number;
  readonly connections: number;
}

/** What channels_redis asks BZPOPMIN to wait. */
const USUAL_POLL_US = 5_000_000;
/** Between two polls of a receiver in good health: a backup, an acknowledgement, a restore. */
export const BETWEEN_POLLS_US = 1_000_000;

/** So long a process that receives may leave its queue alone. */
export function patienceUs({ pollUs }: Pick<QueueHistory, 'pollUs'>): number {
  return (pollUs || USUAL_POLL_US) + BETWEEN_POLLS_US;
}

/** The stall from one step of receiving, that had ended by `fromUs`, to the next, or the end of the trace; null where it is none. */
export function stallBetween(
  last: Mark,
  next: Mark | null,
  fromUs: number,
  endUs: number,
  patience: number,
  connections: Iterable<TraceConnection>,
): Stall | null {
  const toUs = next?.requestedUs ?? endUs;
  if (toUs - fromUs <= patience) return null;
  for (const { id, openedUs, closedUs } of connections)
    if (openedUs <= fromUs && (closedUs ?? Number.POSITIVE_INFINITY) > fromUs + patience)
      return { fromUs, toUs, last, next, open: id };
  return null;
}

class Reader {
  readonly #queue: QueueHistory;
  readonly #connections: readonly TraceConnection[];
  readonly #endUs: number;
  /** By when the steps of receiving up to each have ended. */
  readonly #endedUs: readonly number[];
  readonly #patienceUs: number;
  /** By how many steps of receiving had begun: a queue that nobody polls is asked about for each of its messages. */
  readonly #stalls = new Map<number, Stall | null>();
  #gone: Gone | null | undefined;

  constructor(
    queue: QueueHistory,
    connections: ReadonlyMap<number, TraceConnection>,
    endUs: number,
    reading: readonly TraceConnection[] | null,
  ) {
    this.#queue = queue;
    this.#connections = reading ?? connectionsReading(queue, connections);
    this.#endUs = endUs;
    let latest = Number.NEGATIVE_INFINITY;
    this.#endedUs = queue.receives.map(({ repliedUs, connection }) => {
      latest = Math.max(
        latest,
        repliedUs ?? connections.get(connection)?.closedUs ?? Number.POSITIVE_INFINITY,
      );
      return latest;
    });
    this.#patienceUs = patienceUs(queue);
  }

  stallAt(us: number): Stall | null {
    const { receives } = this.#queue;
    const before = countWhile(receives, ({ requestedUs }) => requestedUs <= us);
    const fromUs = this.#endedUs[before - 1];
    if (fromUs === undefined || fromUs > us) return null;
    let stall = this.#stalls.get(before);
    if (stall === undefined) {
      stall = this.#stallAfter(before, fromUs);
      this.#stalls.set(before, stall);
    }
    return stall;
  }

  #stallAfter(before: number, fromUs: number): Stall | null {
    const { receives } = this.#queue;
    const last = receives[before - 1] as Mark;
    const next = receives[before] ?? null;
    return stallBetween(last, next, fromUs, this.#endUs, this.#patienceUs, this.#connections);
  }

  /** Is no poll known that was outstanding, or had ended not long before, whoever lives? */
  silentAt(us: number): boolean {
    const { receives } = this.#queue;
    const before = countWhile(receives, ({ requestedUs }) => requestedUs <= us);
    const fromUs = this.#endedUs[before - 1];
    if (fromUs === undefined) return true;
    return (receives[before]?.requestedUs ?? this.#endUs) - fromUs > this.#patienceUs;
  }

  gone(): Gone | null {
    if (this.#gone === undefined) this.#gone = this.#whenGone();
    return this.#gone;
  }

  #whenGone(): Gone | null {
    if (this.#connections.length === 0) return null;
    let sinceUs = 0;
    for (const { closedUs, closedBy } of this.#connections) {
      if (closedUs === null || closedBy !== 'client') return null;
      sinceUs = Math.max(sinceUs, closedUs);
    }
    // A pool may have closed its last connection just before the next poll.
    if (this.#endUs - sinceUs <= this.#patienceUs) return null;
    return { sinceUs, connections: this.#connections.length };
  }
}

/** In the order in which each is first seen to receive, and then to back up or acknowledge. */
function connectionsReading(
  { receives, journeys }: QueueHistory,
  connections: ReadonlyMap<number, TraceConnection>,
): TraceConnection[] {
  const marks = [
    ...receives,
    ...journeys.flatMap(({ backups, acknowledgements }) => [...backups, ...acknowledgements]),
  ];
  const numbers = new Set(marks.map(({ connection }) => connection));
  return [...numbers].flatMap((number) => connections.get(number) ?? []);
}

/** The readers of a trace's queues, each looked at when first asked for. */
export class Readers {
  readonly #connections: ReadonlyMap<number, TraceConnection>;
  readonly #endUs: number;
  readonly #reading: (queue: QueueHistory) => readonly TraceConnection[] | null;
  readonly #readers = new Map<QueueHistory, Reader>();

  /** `reading`: the connections of the process that reads a queue, where more is known than its history shows. */
  constructor(
    connections: ReadonlyMap<number, TraceConnection>,
    endUs: number,
    reading: (queue: QueueHistory) => readonly TraceConnection[] | null = () => null,
  ) {
    this.#reading = reading;
    this.#connections = connections;
    this.#endUs = endUs;
  }

  /** The stall that a moment falls into; null where the queue was polled, or its process cannot be seen to live. */
  stallAt(queue: QueueHistory, us: number): Stall | null {
    return this.#of(queue).stallAt(us);
  }

  /** Is none of its polls known around that moment? Where a hole may hide some, so may it hide a stall. */
  silentAt(queue: QueueHistory, us: number): boolean {
    return this.#of(queue).silentAt(us);
  }

  /** Null where it lives, as far as can be told. */
  gone(queue: QueueHistory): Gone | null {
    return this.#of(queue).gone();
  }

  #of(queue: QueueHistory): Reader {
    let reader = this.#readers.get(queue);
    if (!reader) {
      reader = new Reader(queue, this.#connections, this.#endUs, this.#reading(queue));
      this.#readers.set(queue, reader);
    }
    return reader;
  }
}
