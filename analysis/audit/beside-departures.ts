/**
 * Does something come with departures, or does it only look so because somebody leaves all the time? What is asked about, say the pops
 * that lost their message, is held against all other pops of the same queues: if those come as soon after a departure as often,
 * the departure says nothing.
 */
import type { Departure, Departures } from '../departures.js';
import type { Mark } from '../journey.js';

/** A pop, by its operation, and the moment of it that counts. */
export interface OtherPop {
  readonly queue: string;
  readonly id: number;
  readonly atUs: number;
}

/** One that is asked about. */
export interface PopMoment extends OtherPop {
  readonly pop: Mark;
}

export interface BesideDepartures {
  /** Each with the last departure before it; null where nobody had left. */
  readonly asked: readonly (PopMoment & { readonly departure: Departure | null })[];
  /** The longest time that one of them came after its departure; null where one has none, or none is asked about. */
  readonly longestUs: number | null;
  /** The other pops of these queues, and how many of them came as soon after a departure. */
  readonly others: number;
  readonly othersAsSoon: number;
  /**
   * How probable it is that all n came so soon if departures have nothing to do with them. Each then does with the share that
   * all pops have, whatever the time is: share to the power of n.
   */
  readonly byChance: number;
}

export function besideDepartures(
  asked: readonly PopMoment[],
  pops: Iterable<OtherPop>,
  departures: Departures,
): BesideDepartures {
  const placed = asked.map((one) => ({ ...one, departure: departures.lastBefore(one.queue, one.atUs) }));
  const longest = Math.max(...placed.map(({ atUs, departure }) => lag(atUs, departure)));
  const ids = new Set(asked.map(({ id }) => id));
  const queues = new Set(asked.map(({ queue }) => queue));
  let [others, asSoon] = [0, 0];
  for (const { queue, id, atUs } of pops) {
    if (!queues.has(queue) || ids.has(id)) continue;
    others++;
    if (lag(atUs, departures.lastBefore(queue, atUs)) <= longest) asSoon++;
  }
  const share = (asked.length + asSoon) / (asked.length + others);
  return {
    asked: placed,
    longestUs: Number.isFinite(longest) ? longest : null,
    others,
    othersAsSoon: asSoon,
    byChance: asked.length === 0 ? 1 : share ** asked.length,
  };
}

function lag(atUs: number, departure: Departure | null): number {
  return departure === null ? Number.POSITIVE_INFINITY : atUs - departure.mark.requestedUs;
}

/** Below this, that all came so soon after a departure is not put down to chance. */
const CHANCE = 0.01;

export function isMoreThanChance({ longestUs, byChance }: BesideDepartures): boolean {
  return longestUs !== null && byChance < CHANCE;
}
