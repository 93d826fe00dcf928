/**
 * When a message was in its queue. A stay begins with an enqueue, or with a restore, which puts the backup back; it ends with the pop, or with
 * a departure: a trim that covers its score, the end of the queue's time to live, a removal. Each is known by two spans: in one the message
 * was possibly there, in the other, inside, it certainly was.
 *
 * Order is taken from where intervals do not overlap, and from need: a pop needs what it pops. So a message that was popped was there
 * from its entry to its pop, whatever else was done to the queue in between.
 */
import type { Journey, Mark, QueueHistory } from './journey.js';
import { countWhile, type Moment, momentOf } from './moment.js';
import { deathsOf } from './time-to-live.js';
import type { Removal, Trim } from './upkeep.js';

/** Something other than a pop that may have taken a message out of its queue. */
export interface Departure extends Moment {
  /** `taken`: by a poll whose reply nobody saw. */
  readonly how: 'trimmed' | 'expired' | 'removed' | 'taken';
  /** The operation that did it; of a time to live the one that set it. */
  readonly mark: Mark;
  /** After it the message is certainly not there. */
  readonly certain: boolean;
}

/** When a poll without a known reply may have taken a message. */
export interface Take extends Moment {
  /** What waited before that, it would have had at once, with a reply. */
  readonly onlyWhatComesIn?: true;
}

/** How a message came into its queue. */
interface Entry extends Moment {
  readonly mark: Mark;
  readonly certain: boolean;
}

export interface Stay {
  readonly possible: Moment;
  /** Null where there is no moment at which it is certain. */
  readonly certain: Moment | null;
}

/** Scores are re-formatted on their way through a backup. */
const SCORE_TOLERANCE = 0.001;

export class Stays {
  readonly #queue: QueueHistory;
  readonly #deaths;
  readonly #trims: readonly Trim[];
  readonly #removals: readonly Removal[];
  readonly #takes: readonly (Departure & Take)[];

  /** `mayHaveTaken`: when a poll without a known reply may have taken something; null where it has taken nothing. */
  constructor(queue: QueueHistory, mayHaveTaken: (poll: Mark) => Take | null = momentOf) {
    this.#queue = queue;
    this.#takes = queue.openPolls.flatMap((mark) => {
      const moment = mayHaveTaken(mark);
      return moment ? [{ how: 'taken' as const, mark, ...moment, certain: false }] : [];
    });
    this.#deaths = deathsOf(queue);
    this.#trims = queue.upkeep.filter((each): each is Trim => each.does === 'trim' && each.removed !== 0);
    this.#removals = queue.upkeep.filter(
      (each): each is Removal => each.does === 'remove' && each.done !== false,
    );
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

  /** What may have taken a message that was not popped since its last entry, in order. */
  departuresOf(journey: Journey): Departure[] {
    const entry = this.#entriesOf(journey).at(-1);
    return entry ? this.#departuresAfter(entry, journey) : [];
  }

  #stay(entry: Entry, journey: Journey, pop: Moment | null): Stay {
    const departures = this.#departuresAfter(entry, journey);
    const empty = this.#emptyAfter(entry.byUs);
    const goneUs = Math.min(
      pop?.byUs ?? Number.POSITIVE_INFINITY,
      empty?.byUs ?? Number.POSITIVE_INFINITY,
      ...departures.filter(({ certain }) => certain).map(({ byUs }) => byUs),
    );
    const heldUs = Math.min(
      empty?.fromUs ?? Number.POSITIVE_INFINITY,
      ...departures.map(({ fromUs }) => fromUs),
      ...journey.pops.map(momentOf).flatMap(({ fromUs, byUs }) => (byUs > entry.fromUs ? [fromUs] : [])),
    );
    return {
      possible: { fromUs: entry.fromUs, byUs: goneUs },
      certain: entry.certain && entry.byUs <= heldUs ? { fromUs: entry.byUs, byUs: heldUs } : null,
    };
  }

  #departuresAfter(entry: Entry, journey: Journey): Departure[] {
    return [
      ...this.#trims.flatMap((trim) => trimmed(trim, entry, journey)),
      ...this.#removals.flatMap((removal) => removed(removal, entry, journey)),
      ...this.#deaths.map(({ mark, fromUs, byUs, certain }) => ({
        ...{ how: 'expired' as const, mark, fromUs, byUs },
        // What runs out was the message's own time only if it was there when that was set: it kept the key alive.
        certain: certain && (mark.id === entry.mark.id || entry.byUs <= mark.requestedUs),
      })),
      ...this.#takes.filter(({ onlyWhatComesIn, fromUs }) => !onlyWhatComesIn || entry.byUs >= fromUs),
    ]
      .filter(({ byUs }) => byUs > entry.fromUs)
      .sort((a, b) => a.fromUs - b.fromUs);
  }

  #entriesOf(journey: Journey): Entry[] {
    const entries: Entry[] = [];
    for (const enqueue of journey.enqueues)
      if (enqueue.acceptance !== 'full' && enqueue.acceptance !== 'refused')
        entries.push({ mark: enqueue, ...momentOf(enqueue), certain: enqueue.acceptance === 'accepted' });
    for (const backup of journey.backups) entries.push(...this.#putBack(momentOf(backup), journey));
    return entries.sort((a, b) => a.fromUs - b.fromUs);
  }

  /** Restores that may have found this backup: those that overlap it, and the first after it. */
  #putBack(backup: Moment, { acknowledgements }: Journey): Entry[] {
    const { restores, openAcknowledgements } = this.#queue;
    const since = (mark: Mark) => mark.requestedUs >= backup.fromUs;
    const known = acknowledgements.filter(since).map(momentOf);
    const taken = [...known, ...openAcknowledgements.filter(since).map(momentOf)];
    const emptied = this.#removals.filter((removal) => removal.backup && since(removal)).map(momentOf);
    const doneUs = Math.min(...known.map(({ byUs }) => byUs), Number.POSITIVE_INFINITY);
    const entries: Entry[] = [];
    for (let i = this.#firstRestore(backup.fromUs); i < restores.length; i++) {
      const mark = restores[i] as Mark;
      const at = momentOf(mark);
      if (at.byUs <= backup.fromUs) continue;
      if (at.fromUs >= doneUs) break;
      const undisturbed = ![...taken, ...emptied].some(({ fromUs }) => fromUs < at.byUs);
      const after = at.fromUs >= backup.byUs;
      const first = entries.length === 0;
      entries.push({ mark, ...at, certain: after && first && undisturbed && mark.repliedUs !== null });
      if (after && mark.repliedUs !== null) break;
    }
    return entries;
  }

  /** The first restore that may have run after a moment. */
  #firstRestore(us: number): number {
    const { restores } = this.#queue;
    let first = firstSince(restores, us);
    while (first > 0 && momentOf(restores[first - 1] as Mark).byUs > us) first--;
    return first;
  }

  /** The first poll since a moment that found nothing: nothing from before was there any more. */
  #emptyAfter(us: number): Moment | null {
    const { emptyPolls } = this.#queue;
    const mark = emptyPolls[firstSince(emptyPolls, us)];
    return mark ? momentOf(mark) : null;
  }
}

/** The index of the first mark requested at a moment or later. */
function firstSince(marks: readonly Mark[], us: number): number {
  return countWhile(marks, ({ requestedUs }) => requestedUs < us);
}

/** Popped, so it was there until then. */
function poppedStay(entry: Entry, popped: Moment): Stay {
  const certain = { fromUs: entry.byUs, byUs: popped.fromUs };
  return {
    possible: { fromUs: entry.fromUs, byUs: popped.byUs },
    certain: certain.fromUs <= certain.byUs ? certain : null,
  };
}

function trimmed(trim: Trim, entry: Entry, { enqueues }: Journey): Departure[] {
  const scores = enqueues.map(({ score }) => score);
  if (scores.length > 0 && Math.min(...scores) > trim.upTo + SCORE_TOLERANCE) return [];
  const covered = scores.length > 0 && Math.max(...scores) <= trim.upTo - SCORE_TOLERANCE;
  const certain = covered && trim.removed !== null && trim.requestedUs >= entry.byUs;
  return [{ how: 'trimmed', mark: trim, ...momentOf(trim), certain }];
}

function removed(removal: Removal, entry: Entry, { member }: Journey): Departure[] {
  if (!removal.queue) return [];
  if (removal.members !== null && !removal.members.some((one) => one.equals(member))) return [];
  const certain = removal.done === true && removal.requestedUs >= entry.byUs;
  return [{ how: 'removed', mark: removal, ...momentOf(removal), certain }];
}
