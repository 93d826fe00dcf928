/**
 * The upkeep of queues as facts of their history: each trim, count, time to live and removal, given to the queues that it touched. A
 * removal may touch many (FLUSHALL, the layer's flush), and only those of the database that its connection speaks to.
 *
 * A trace holds other applications' EXPIRE and DEL too: what is kept is of the layer's queues, known by their name or from before.
 */
import type { Reply, TraceOperation } from '../proxy/trace/trace.js';
import { type Mark, markOf } from './mark.js';
import { BACKUP_SUFFIX, isProcessQueue, nameOf } from './profiles/channel-layer.js';
import { type Removed, type Upkeep, upkeepOf } from './profiles/queue-upkeep.js';

export interface Trim extends Mark {
  readonly does: 'trim';
  /** Not in a MULTI: `send` trims alone, group_send in a MULTI. */
  readonly alone: boolean;
  readonly upTo: number;
  readonly removed: number | null;
}

export interface Count extends Mark {
  readonly does: 'count';
  readonly held: number | null;
}

export interface Expire extends Mark {
  readonly does: 'expire';
  readonly seconds: number;
  readonly set: boolean | null;
}

export interface Removal extends Mark {
  readonly does: 'remove';
  readonly queue: boolean;
  readonly backup: boolean;
  readonly members: readonly Buffer[] | null;
  readonly done: boolean | null;
}

/** A trim that Redis refused. */
export interface RefusedTrim extends Mark {
  readonly does: 'refused-trim';
  readonly error: string;
}

export type QueueUpkeep = RefusedTrim | Trim | Count | Expire | Removal;

/** What is kept of a queue here: a part of its history. */
interface Queue {
  readonly name: string;
  readonly upkeep: QueueUpkeep[];
}

export class UpkeepReader {
  readonly #queues: ReadonlyMap<string, Queue>;
  readonly #queue: (name: string, operation: TraceOperation) => Queue;
  /** Connections that said SELECT; the others speak to database 0. */
  readonly #databases = new Map<number, string>();
  readonly #databaseOf = new Map<Queue, string>();
  /** Of several Redis hosts: FLUSHALL on one leaves the others as they are. */
  readonly #hostOf: (connection: number) => number;
  readonly #hosts = new Map<Queue, number>();

  /** `queue` finds a queue's history, or begins it. */
  constructor(
    queues: ReadonlyMap<string, Queue>,
    queue: (name: string, operation: TraceOperation) => Queue,
    hostOf: (connection: number) => number,
  ) {
    this.#hostOf = hostOf;
    this.#queues = queues;
    this.#queue = queue;
  }

  add(operation: TraceOperation, reply: Reply | null): void {
    if (operation.command === 'SELECT') {
      if (reply?.kind !== 'error')
        this.#databases.set(operation.connection, nameOf(operation.args[1] ?? Buffer.alloc(0)));
      return;
    }
    const upkeep = upkeepOf(operation, reply);
    if (upkeep?.upkeep === 'remove') this.#removed(operation, upkeep);
    else if (upkeep && (isProcessQueue(upkeep.queue) || this.#queues.has(upkeep.queue)))
      this.#queue(upkeep.queue, operation).upkeep.push(kept(upkeep, operation));
  }

  /** A queue was touched on this connection: that is the database it is in. */
  touched(queue: Queue, connection: number): void {
    if (this.#databaseOf.has(queue)) return;
    this.#databaseOf.set(queue, this.#database(connection));
    this.#hosts.set(queue, this.#hostOf(connection));
  }

  #removed(operation: TraceOperation, { of, members, done }: Extract<Upkeep, { upkeep: 'remove' }>): void {
    const everywhere = operation.command === 'FLUSHALL';
    for (const queue of this.#reached(of)) {
      if (this.#hosts.get(queue) !== this.#hostOf(operation.connection)) continue;
      if (!everywhere && this.#databaseOf.get(queue) !== this.#database(operation.connection)) continue;
      queue.upkeep.push({
        ...markOf(operation, queue.name),
        does: 'remove',
        queue: covers(of, queue.name),
        backup: covers(of, queue.name + BACKUP_SUFFIX),
        members,
        done,
      });
    }
  }

  #reached(of: Removed): Queue[] {
    if ('prefix' in of) return [...this.#queues.values()].filter(({ name }) => name.startsWith(of.prefix));
    const names = new Set(
      of.keys.map((key) => (key.endsWith(BACKUP_SUFFIX) ? key.slice(0, -BACKUP_SUFFIX.length) : key)),
    );
    return [...names].flatMap((name) => this.#queues.get(name) ?? []);
  }

  #database(connection: number): string {
    return this.#databases.get(connection) ?? '0';
  }
}

function covers(of: Removed, key: string): boolean {
  return 'prefix' in of ? key.startsWith(of.prefix) : of.keys.includes(key);
}

function kept(upkeep: Exclude<Upkeep, { upkeep: 'remove' }>, operation: TraceOperation): QueueUpkeep {
  const mark = markOf(operation, upkeep.queue);
  const alone = operation.transaction === null;
  switch (upkeep.upkeep) {
    case 'trim':
      return { ...mark, does: 'trim', alone, upTo: upkeep.upTo, removed: upkeep.removed };
    case 'refused-trim':
      return { ...mark, does: 'refused-trim', error: upkeep.error };
    case 'count':
      return { ...mark, does: 'count', held: upkeep.held };
    case 'expire':
      return { ...mark, does: 'expire', seconds: upkeep.seconds, set: upkeep.set };
  }
}
