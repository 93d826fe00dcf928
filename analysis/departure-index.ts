/**
 * What may have taken messages out of a queue, other than pops: found for each message without going through all trims, removals and ends
 * of a time to live that the queue ever saw.
 */
import { append } from './append.js';
import { FirstFitting } from './first-fitting.js';
import type { Journey, Mark, QueueHistory } from './journey.js';
import { byBeginning, type Moment, momentOf } from './moment.js';
import { type Death, deathsOf } from './time-to-live.js';
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
export interface Entry extends Moment {
  readonly mark: Mark;
  readonly certain: boolean;
}

/** Scores are re-formatted on their way through a backup. */
const SCORE_TOLERANCE = 0.001;

/** Departures of one kind for one message: the `possible` ones in the order of their beginning, the `certain` in that of their end. */
interface Kind {
  readonly possible: (entry: Entry) => Generator<Departure, void>;
  readonly certain: (entry: Entry) => Departure | undefined;
}

export class DepartureIndex {
  readonly #trims: (journey: Journey) => Kind;
  readonly #deaths: Kind;
  readonly #takes: Kind;
  readonly #sweeps: Kind;
  /** ZREM, by member. */
  readonly #named = new Map<string, Removal[]>();
  readonly #namedKinds = new Map<string, Kind>();

  constructor(queue: QueueHistory, mayHaveTaken: (poll: Mark) => Take | null) {
    this.#trims = trimsOf(
      queue.upkeep.filter((each): each is Trim => each.does === 'trim' && each.removed !== 0),
    );
    this.#deaths = deathsKind(deathsOf(queue));
    this.#takes = takesKind(
      queue.openPolls.flatMap((mark) => {
        const take = mayHaveTaken(mark);
        return take ? [{ mark, ...take }] : [];
      }),
    );
    const removals = queue.upkeep.filter(
      (each): each is Removal => each.does === 'remove' && each.done !== false && each.queue,
    );
    this.#sweeps = removalsKind(removals.filter(({ members }) => members === null));
    for (const removal of removals)
      for (const name of new Set(removal.members?.map(nameOf))) append(this.#named, name, removal);
  }

  /** What may have taken a message after an entry, in order, up to a moment; of the polls without a known reply the first only. */
  after(entry: Entry, journey: Journey, untilUs: number): Departure[] {
    const found: Departure[] = [];
    for (const { possible } of this.#kinds(journey))
      for (const departure of possible(entry)) {
        if (departure.fromUs > untilUs) break;
        found.push(departure);
      }
    return found.sort((a, b) => a.fromUs - b.fromUs);
  }

  /** The earliest moment at which one of them may have taken it; Infinity where there is none. */
  heldUs(entry: Entry, journey: Journey): number {
    return Math.min(
      Number.POSITIVE_INFINITY,
      ...this.#kinds(journey).flatMap(({ possible }) => {
        const [first] = possible(entry);
        return first?.fromUs ?? [];
      }),
    );
  }

  /** The earliest moment at which one of them has taken it for certain; Infinity where there is none. */
  goneUs(entry: Entry, journey: Journey): number {
    return Math.min(
      Number.POSITIVE_INFINITY,
      ...this.#kinds(journey).flatMap(({ certain }) => certain(entry)?.byUs ?? []),
    );
  }

  #kinds(journey: Journey): Kind[] {
    const named = this.#namedOf(nameOf(journey.member));
    return [this.#trims(journey), this.#sweeps, ...(named ? [named] : []), this.#deaths, this.#takes];
  }

  #namedOf(name: string): Kind | undefined {
    const removals = this.#named.get(name);
    if (removals && !this.#namedKinds.has(name)) this.#namedKinds.set(name, removalsKind(removals));
    return this.#namedKinds.get(name);
  }
}

function nameOf(member: Buffer): string {
  return member.toString('latin1');
}

/** `done`: it has taken what was there when it was asked for. */
type Taking = Omit<Departure, 'certain'> & { readonly done: boolean };

/** Those that take every message that is there. */
function kindOf(takings: readonly Taking[]): Kind {
  const possible = new FirstFitting(takings.toSorted(byBeginning), ({ byUs }) => [byUs]);
  const done = new FirstFitting(takings.filter((one) => one.done).sort(byEnd), ({ byUs, mark }) => [
    byUs,
    mark.requestedUs,
  ]);
  const isCertain = ({ done, mark }: Taking, entry: Entry) => done && mark.requestedUs >= entry.byUs;
  return {
    *possible(entry) {
      for (const { done, ...taking } of possible.all((byUs = 0) => byUs > entry.fromUs))
        yield { ...taking, certain: isCertain({ done, ...taking }, entry) };
    },
    certain(entry) {
      const first = done.first(
        (byUs = 0, requestedUs = 0) => byUs > entry.fromUs && requestedUs >= entry.byUs,
      );
      return first && { ...first, certain: true };
    },
  };
}

/** Of polls that may have taken it the first one: thousands may never have been answered, and the others say no more. */
function takesKind(takes: readonly (Take & { readonly mark: Mark })[]): Kind {
  const possible = new FirstFitting(takes.toSorted(byBeginning), ({ byUs, fromUs, onlyWhatComesIn }) => [
    byUs,
    onlyWhatComesIn ? -fromUs : Number.POSITIVE_INFINITY,
  ]);
  return {
    *possible(entry) {
      const fits = (byUs = 0, fromUs = 0) => byUs > entry.fromUs && fromUs >= -entry.byUs;
      const first = possible.first(fits);
      if (first)
        yield { how: 'taken', mark: first.mark, fromUs: first.fromUs, byUs: first.byUs, certain: false };
    },
    certain: () => undefined,
  };
}

function removalsKind(removals: readonly Removal[]): Kind {
  return kindOf(
    removals.map((mark) => ({ how: 'removed', mark, ...momentOf(mark), done: mark.done === true })),
  );
}

/** What runs out was the message's own time only if it was there when that was set, or set it by itself: it kept the key alive. */
function deathsKind(deaths: readonly Death[]): Kind {
  const takings = deaths.map(({ mark, fromUs, byUs, certain }) => ({
    ...{ how: 'expired' as const, mark, fromUs, byUs, done: certain },
  }));
  const kind = kindOf(takings);
  const own = new Map(takings.map((taking) => [taking.mark.id, taking]));
  return {
    *possible(entry) {
      for (const { certain, ...departure } of kind.possible(entry)) {
        const set = departure.mark.id === entry.mark.id && own.get(entry.mark.id)?.done === true;
        yield { ...departure, certain: certain || set };
      }
    },
    certain(entry) {
      const [later, set] = [kind.certain(entry), own.get(entry.mark.id)];
      if (!set?.done || set.byUs <= entry.fromUs || (later && later.byUs <= set.byUs)) return later;
      return { ...set, certain: true };
    },
  };
}

/** A trim takes what has at most its score. */
function trimsOf(trims: readonly Trim[]): (journey: Journey) => Kind {
  const takings = trims.map((mark) => ({ mark, ...momentOf(mark) }));
  const possible = new FirstFitting(takings.toSorted(byBeginning), ({ byUs, mark }) => [byUs, mark.upTo]);
  const done = new FirstFitting(
    takings.filter(({ mark }) => mark.removed !== null).sort(byEnd),
    ({ byUs, mark }) => [byUs, mark.upTo, mark.requestedUs],
  );
  return ({ enqueues }) => {
    const scores = enqueues.map(({ score }) => score);
    const [least, most] = [Math.min(...scores), Math.max(...scores)];
    const mayCover = (upTo: number) => scores.length === 0 || !(least > upTo + SCORE_TOLERANCE);
    const covers = (upTo: number) => scores.length > 0 && most <= upTo - SCORE_TOLERANCE;
    const isCertain = ({ upTo, removed, requestedUs }: Trim, entry: Entry) =>
      covers(upTo) && removed !== null && requestedUs >= entry.byUs;
    return {
      *possible(entry) {
        for (const one of possible.all((byUs = 0, upTo = 0) => byUs > entry.fromUs && mayCover(upTo)))
          yield { how: 'trimmed', ...one, certain: isCertain(one.mark, entry) };
      },
      certain(entry) {
        const first = done.first(
          (byUs = 0, upTo = 0, requestedUs = 0) =>
            byUs > entry.fromUs && covers(upTo) && requestedUs >= entry.byUs,
        );
        return first && { how: 'trimmed', ...first, certain: true };
      },
    };
  };
}

function byEnd(a: Moment, b: Moment): number {
  return a.byUs - b.byUs;
}
