/**
 * When a message was in its queue. A stay begins with an enqueue, or with a restore, which puts the backup back; it ends with the pop, or with
 * a departure: a trim that covers its score, the end of the queue's time to live, a removal. Each is known by two spans: in one the message
 * was possibly there, in the other, inside, it certainly was.
 *
 * Order is taken from where intervals do not overlap, and from need: a pop needs what it pops. So a message that was popped was there
 * from its entry to its pop, whatever else was done to the queue in between.
 */
import { type Departure, DepartureIndex, type Entry, type Take } from './departure-index.js';
import { FirstFitting } from './first-fitting.js';
import type { Journey, Mark, QueueHistory } from './journey.js';
import { byBeginning, firstSince, type Moment, momentOf } from './moment.js';
import type { Removal } from './upkeep.js';

export type { Departure, Take } from './departure-index.js';

export interface Stay {
  readonly possible: Moment;
  /** Null where there is no moment at which it is certain. */
  readonly certain: Moment | null;
}

/** Of the restores that may have put one message back, so many are told apart; the rest count as one. */
const TOLD_APART = 8;

export class Stays {
  readonly #queue: QueueHistory;
  readonly #departures: DepartureIndex;
  /** What takes from the backup without naming the message: removals of the whole, and acknowledgements whose reply nobody saw. */
  readonly #unnamed: FirstFitting<Moment>;
  /** Restores that Redis answered. */
  readonly #answered: readonly Mark[];
  /** For each restore that Redis did not answer, where the run of such ones begins that it belongs to. */
  readonly #openRun: readonly number[];

  /** `mayHaveTaken`: when a poll without a known reply may have taken something; null where it has taken nothing. */
  constructor(queue: QueueHistory, mayHaveTaken: (poll: Mark) => Take | null = momentOf) {
    this.#queue = queue;
    this.#departures = new DepartureIndex(queue, mayHaveTaken);
    const emptied = queue.upkeep.filter(
      (each): each is Removal => each.does === 'remove' && each.done !== false && each.backup,
    );
    const { restores, openAcknowledgements } = queue;
    const unnamed = [...emptied, ...openAcknowledgements].map(momentOf);
    this.#unnamed = new FirstFitting(unnamed.sort(byBeginning), ({ byUs }) => [byUs]);
    this.#answered = restores.filter(({ repliedUs }) => repliedUs !== null);
    const runs: number[] = [];
    for (const [at, { repliedUs }] of restores.entries())
      runs.push(repliedUs === null && restores[at - 1]?.repliedUs === null ? (runs[at - 1] ?? at) : at);
    this.#openRun = runs;
  }

  of(journey: Journey): Stay[] {
    const entries = this.#entriesOf(journey);
    const waiting = new Set(entries);
    const stays: Stay[] = [];
    for (const pop of journey.pops) {
      const popped = momentOf(pop);
      const could = [...waiting].filter(({ fromUs }) => fromUs < popped.byUs);
      for (const entry of could) {
        // Two entries before one pop (the client's retry) may have been one member: only what was over before the pop ends with it.
        if (could.length > 1 && entry.byUs > popped.fromUs) continue;
        stays.push(could.length === 1 ? poppedStay(entry, popped) : this.#stay(entry, journey, popped));
        waiting.delete(entry);
      }
    }
    for (const entry of waiting) stays.push(this.#stay(entry, journey, null));
    return stays;
  }

  /** What may have taken a message that was not popped since its last entry, in order, up to a moment. */
  departuresOf(journey: Journey, untilUs: number): Departure[] {
    const entry = this.#entriesOf(journey).at(-1);
    return entry ? this.#departures.after(entry, journey, untilUs) : [];
  }

  /** By when one of them has taken it for certain. */
  goneUs(journey: Journey): number {
    const entry = this.#entriesOf(journey).at(-1);
    return entry ? this.#departures.goneUs(entry, journey) : Number.POSITIVE_INFINITY;
  }

  #stay(entry: Entry, journey: Journey, pop: Moment | null): Stay {
    const empty = this.#emptyAfter(entry.byUs);
    const goneUs = Math.min(
      pop?.byUs ?? Number.POSITIVE_INFINITY,
      empty?.byUs ?? Number.POSITIVE_INFINITY,
      this.#departures.goneUs(entry, journey),
    );
    const heldUs = Math.min(
      empty?.fromUs ?? Number.POSITIVE_INFINITY,
      this.#departures.heldUs(entry, journey),
      ...journey.pops.map(momentOf).flatMap(({ fromUs, byUs }) => (byUs > entry.fromUs ? [fromUs] : [])),
    );
    return {
      possible: { fromUs: entry.fromUs, byUs: goneUs },
      certain: entry.certain && entry.byUs <= heldUs ? { fromUs: entry.byUs, byUs: heldUs } : null,
    };
  }

  #entriesOf(journey: Journey): Entry[] {
    const entries: Entry[] = [];
    for (const enqueue of journey.enqueues)
      if (enqueue.acceptance !== 'full' && enqueue.acceptance !== 'refused')
        entries.push({ mark: enqueue, ...momentOf(enqueue), certain: enqueue.acceptance === 'accepted' });
    for (const backup of journey.backups) entries.push(...this.#putBack(momentOf(backup), journey));
    return entries.sort((a, b) => a.fromUs - b.fromUs);
  }

  /**
   * Restores that may have found this backup: those that overlap it, and the first after it. Where nobody saw the answers there are
   * many, and all but one of them found nothing: what they say together is that the message may be there from then on.
   */
  #putBack(backup: Moment, { acknowledgements }: Journey): Entry[] {
    const { restores } = this.#queue;
    const acknowledged = acknowledgements.map(momentOf);
    const doneUs = Math.min(
      Number.POSITIVE_INFINITY,
      ...acknowledged.filter(({ fromUs }) => fromUs >= backup.fromUs).map(({ byUs }) => byUs),
    );
    // What was asked for before the backup, and not answered by then, may have run after it.
    const mayTake = (byUs = 0) => byUs > backup.fromUs;
    const takenUs = Math.min(
      this.#unnamed.first(mayTake)?.fromUs ?? Number.POSITIVE_INFINITY,
      ...acknowledged.filter(({ byUs }) => mayTake(byUs)).map(({ fromUs }) => fromUs),
    );
    const end = this.#endOfRestores(backup, doneUs);
    const entries: Entry[] = [];
    for (let i = this.#firstRestore(backup.fromUs); i < end; i++) {
      const mark = restores[i] as Mark;
      const at = momentOf(mark);
      if (at.byUs <= backup.fromUs) continue;
      if (entries.length === TOLD_APART && i < end - 1)
        return [...entries, { mark: restores[end - 1] as Mark, ...at, byUs: Infinity, certain: false }];
      const after = at.fromUs >= backup.byUs;
      const first = entries.length === 0;
      const certain = after && first && takenUs >= at.byUs && mark.repliedUs !== null;
      entries.push({ mark, ...at, certain });
    }
    return entries;
  }

  /** Behind the last restore that may have found a backup: the first after it that Redis answered, or when it was acknowledged. */
  #endOfRestores(backup: Moment, doneUs: number): number {
    const { restores } = this.#queue;
    const answered = this.#answered[firstSince(this.#answered, backup.byUs)];
    const done = firstSince(restores, doneUs);
    if (!answered) return done;
    return Math.min(done, restores.indexOf(answered, firstSince(restores, answered.requestedUs)) + 1);
  }

  /** The first restore that may have run after a moment. */
  #firstRestore(us: number): number {
    const { restores } = this.#queue;
    let first = firstSince(restores, us);
    while (first > 0 && momentOf(restores[first - 1] as Mark).byUs > us)
      first = this.#openRun[first - 1] as number;
    return first;
  }

  /** The first poll since a moment that found nothing: nothing from before was there any more. */
  #emptyAfter(us: number): Moment | null {
    const { emptyPolls } = this.#queue;
    const mark = emptyPolls[firstSince(emptyPolls, us)];
    return mark ? momentOf(mark) : null;
  }
}

/** Popped, so it was there until then. */
function poppedStay(entry: Entry, popped: Moment): Stay {
  const certain = { fromUs: entry.byUs, byUs: popped.fromUs };
  return {
    possible: { fromUs: entry.fromUs, byUs: popped.byUs },
    certain: certain.fromUs <= certain.byUs ? certain : null,
  };
}
