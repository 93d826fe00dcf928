/** The polls of a queue (BZPOPMIN), counted and found without going through all of them for each message. */
import type { TraceConnection } from '../proxy/trace/trace.js';
import { append } from './append.js';
import { FirstFitting } from './first-fitting.js';
import type { Mark, QueueHistory } from './journey.js';
import { countWhile } from './moment.js';

export class Polls {
  readonly #all: readonly Mark[];
  readonly #byConnection = new Map<number, Mark[]>();
  /** By when each began and was over. */
  readonly #spans: FirstFitting<Mark>;

  constructor(queue: QueueHistory, connections: ReadonlyMap<number, TraceConnection>, endUs: number) {
    this.#all = queue.receives.filter(({ command }) => command === 'BZPOPMIN');
    for (const poll of this.#all) append(this.#byConnection, poll.connection, poll);
    this.#spans = new FirstFitting(this.#all, ({ requestedUs, repliedUs, connection }) => [
      -requestedUs,
      repliedUs ?? connections.get(connection)?.closedUs ?? endUs,
    ]);
  }

  /** How many began between two moments, on one connection or any. */
  between(fromUs: number, toUs: number, connection: number | null): number {
    const polls = connection === null ? this.#all : (this.#byConnection.get(connection) ?? []);
    const [before, until] = [
      countWhile(polls, ({ requestedUs }) => requestedUs <= fromUs),
      countWhile(polls, ({ requestedUs }) => requestedUs < toUs),
    ];
    return Math.max(0, until - before);
  }

  /** Another one that was outstanding at the same time as this. */
  overlapping({ id, requestedUs, repliedUs }: Mark): Mark | undefined {
    const overUs = repliedUs ?? requestedUs;
    for (const poll of this.#spans.all((began = 0, over = 0) => -began < overUs && over > requestedUs))
      if (poll.id !== id) return poll;
    return undefined;
  }
}
