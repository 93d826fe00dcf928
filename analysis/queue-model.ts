/**
 * What a queue held at an operation, as two bounds: at least so many messages for certain, at most so many possibly. An operation ran at
 * some time between its request and its reply; what overlaps it may have run before or after it. The bounds count the
 * stays of messages in the queue (stays.ts).
 *
 * How many were in the queue before the trace began is unknown, until an operation shows how much it held: a poll that found it
 * empty, a count, a send that found room. From then on these strangers can only become fewer. Should one appear all the same, somebody
 * writes to the queue past the proxy, and there is no upper bound.
 */
import type { TraceConnection } from '../proxy/trace/trace.js';
import type { Journey, Mark, QueueHistory } from './journey.js';
import { countWhile, covers, type Moment, momentOf, SortedMoments, touches } from './moment.js';
import { type Departure, type Stay, Stays, type Take } from './stays.js';

export interface Bounds {
  readonly atLeast: number;
  /** Infinity where the trace does not say what else was there. */
  readonly atMost: number;
}

/** From `byUs` on there are no more than so many strangers. */
interface StrangerBound {
  readonly byUs: number;
  readonly atMost: number;
}

export class QueueModel {
  readonly #queue: QueueHistory;
  readonly #stays: Stays;
  readonly #staysOf: ReadonlyMap<Journey, readonly Stay[]>;
  readonly #certain: SortedMoments;
  readonly #possible: SortedMoments;
  readonly #strangers: readonly StrangerBound[];
  /** An operation that shows a message which came past the proxy; null where there is none. */
  readonly stranger: Mark | null;

  constructor(queue: QueueHistory, mayHaveTaken?: (poll: Mark) => Take | null) {
    this.#queue = queue;
    this.#stays = new Stays(queue, mayHaveTaken);
    this.#staysOf = new Map(queue.journeys.map((journey) => [journey, this.#stays.of(journey)]));
    const stays = [...this.#staysOf.values()].flat();
    this.#certain = new SortedMoments(stays.flatMap(({ certain }) => certain ?? []));
    this.#possible = new SortedMoments(stays.map(({ possible }) => possible));
    this.#strangers = this.#boundStrangers();
    this.stranger = this.#findStranger();
  }

  /** What the queue held when the operation ran, not counting one message. */
  holding(mark: Mark, except?: Journey): Bounds {
    const at = momentOf(mark);
    const own = except ? (this.#staysOf.get(except) ?? []) : [];
    const ownCertain = own.filter(({ certain }) => certain && covers(certain, at)).length;
    const ownPossible = own.filter(({ possible }) => touches(possible, at)).length;
    const atMost = this.stranger
      ? Number.POSITIVE_INFINITY
      : this.#possible.touching(at) - ownPossible + this.#strangersAt(at.fromUs);
    return { atLeast: this.#certain.covering(at) - ownCertain, atMost };
  }

  /** What may have taken this message out, but for a pop, since it last came in and up to a moment; in order. */
  departuresOf(journey: Journey, untilUs: number): Departure[] {
    return this.#stays.departuresOf(journey, untilUs);
  }

  /** By when one of them has taken it out for certain; Infinity where none has. */
  goneUs(journey: Journey): number {
    return this.#stays.goneUs(journey);
  }

  /** Is there a poll whose reply nobody saw, and that may have taken it? */
  mayBeTaken(journey: Journey): boolean {
    return this.departuresOf(journey, Number.POSITIVE_INFINITY).some(({ how }) => how === 'taken');
  }

  #strangersAt(us: number): number {
    const known = countWhile(this.#strangers, ({ byUs }) => byUs <= us);
    return this.#strangers[known - 1]?.atMost ?? Number.POSITIVE_INFINITY;
  }

  /** A restore brings back what was in the backup before the trace began: only what comes after the first says anything. */
  #boundStrangers(): StrangerBound[] {
    const [restore] = this.#queue.restores;
    const sinceUs = restore ? momentOf(restore).byUs : Number.NEGATIVE_INFINITY;
    const bounds: StrangerBound[] = [];
    for (const { at, held } of this.#sights().sort((a, b) => a.at.byUs - b.at.byUs)) {
      if (at.fromUs < sinceUs) continue;
      const atMost = Math.max(0, held - this.#certain.covering(at));
      if (atMost < (bounds.at(-1)?.atMost ?? Number.POSITIVE_INFINITY))
        bounds.push({ byUs: at.byUs, atMost });
      if (atMost === 0) break;
    }
    return bounds;
  }

  /** Operations that show that the queue held no more than so much when they ran. */
  #sights(): { readonly at: Moment; readonly held: number }[] {
    const { emptyPolls, upkeep, journeys } = this.#queue;
    return [
      ...emptyPolls.map((mark) => ({ at: momentOf(mark), held: 0 })),
      ...upkeep.flatMap((each) =>
        each.does === 'count' && each.held !== null ? [{ at: momentOf(each), held: each.held }] : [],
      ),
      ...journeys.flatMap(({ enqueues }) =>
        enqueues.flatMap((enqueue) =>
          enqueue.acceptance === 'accepted' && enqueue.capacity !== null
            ? [{ at: momentOf(enqueue), held: enqueue.capacity - 1 }]
            : [],
        ),
      ),
    ].filter(({ at }) => at.byUs < Number.POSITIVE_INFINITY);
  }

  #findStranger(): Mark | null {
    for (const { enqueues, pops } of this.#queue.journeys) {
      const [pop] = pops;
      if (enqueues.length === 0 && pop && this.#strangersAt(pop.requestedUs) === 0) return pop;
    }
    for (const each of this.#queue.upkeep) {
      if (each.does !== 'count' || each.held === null) continue;
      const at = momentOf(each);
      if (each.held > this.#possible.touching(at) + this.#strangersAt(at.fromUs)) return each;
    }
    return null;
  }
}

/** What Redis has done, its client is told within this time. */
const REPLY_WITHIN_US = 1_000_000;

/** The models of a trace's queues, each made when first asked for. */
export class QueueModels {
  readonly #queues: ReadonlyMap<string, QueueHistory>;
  readonly #connections: ReadonlyMap<number, TraceConnection>;
  readonly #endUs: number;
  readonly #models = new Map<string, QueueModel>();

  constructor(
    queues: ReadonlyMap<string, QueueHistory>,
    connections: ReadonlyMap<number, TraceConnection>,
    endUs: number,
  ) {
    this.#queues = queues;
    this.#connections = connections;
    this.#endUs = endUs;
  }

  of(name: string): QueueModel {
    let model = this.#models.get(name);
    if (!model) {
      const queue = this.#queues.get(name);
      if (!queue) throw new Error(`there is no queue ${name}`);
      model = new QueueModel(queue, (poll) => this.#mayHaveTaken(poll));
      this.#models.set(name, model);
    }
    return model;
  }

  /**
   * The proxy reads what Redis answers even after the client has gone, until Redis closes: what a poll took is seen. But not where the
   * connection to Redis broke, or the trace ended before the reply. Nor where a message came in just when Redis read the client's
   * goodbye: it gives the message to the poll, and closes before it has written the answer.
   */
  #mayHaveTaken(poll: Mark): Take | null {
    const moment = momentOf(poll);
    const connection = this.#connections.get(poll.connection);
    if (poll.repliedUs !== null || !connection) return moment;
    const { closedBy, closedHow, closedUs, endedUs } = connection;
    if (closedUs === null)
      return { ...moment, fromUs: Math.max(moment.fromUs, this.#endUs - REPLY_WITHIN_US) };
    if (closedBy !== 'client' || closedHow === 'error') return moment;
    const fromUs = Math.max(moment.fromUs, closedUs);
    return { fromUs, byUs: endedUs ?? moment.byUs, onlyWhatComesIn: true };
  }
}
