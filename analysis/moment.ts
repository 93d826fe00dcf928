/**
 * When something happened, as far as a trace can tell: at some time from the request to the reply, as the proxy read them. Of what Redis never
 * answered the trace knows no end.
 */
import type { Mark } from './mark.js';

export interface Moment {
  readonly fromUs: number;
  readonly byUs: number;
}

export function momentOf({ requestedUs, repliedUs }: Mark): Moment {
  return { fromUs: requestedUs, byUs: repliedUs ?? Number.POSITIVE_INFINITY };
}

export function byBeginning(a: Moment, b: Moment): number {
  return a.fromUs - b.fromUs;
}

/** Moments, or spans, that can be counted without looking at each. */
export class SortedMoments {
  readonly #byStart: readonly Moment[];
  readonly #starts: readonly number[];
  readonly #ends: readonly number[];

  constructor(moments: readonly Moment[]) {
    this.#byStart = moments.toSorted(byBeginning);
    this.#starts = this.#byStart.map(({ fromUs }) => fromUs);
    this.#ends = moments.map(({ byUs }) => byUs).sort((a, b) => a - b);
  }

  /** How many cover the whole of `at`. */
  covering({ fromUs, byUs }: Moment): number {
    const begun = countWhile(this.#starts, (start) => start <= fromUs);
    const over = countWhile(this.#ends, (end) => end < byUs);
    // Those that are over by then had begun before it, but for the few that lie within it.
    let within = 0;
    for (let i = begun; i < this.#starts.length && (this.#starts[i] as number) < byUs; i++)
      if ((this.#byStart[i] as Moment).byUs < byUs) within++;
    return begun - (over - within);
  }

  /** How many have some time in common with `at`. */
  touching({ fromUs, byUs }: Moment): number {
    return countWhile(this.#starts, (start) => start <= byUs) - countWhile(this.#ends, (end) => end < fromUs);
  }
}

export function covers(span: Moment, { fromUs, byUs }: Moment): boolean {
  return span.fromUs <= fromUs && span.byUs >= byUs;
}

export function touches(span: Moment, { fromUs, byUs }: Moment): boolean {
  return span.fromUs <= byUs && span.byUs >= fromUs;
}

/** Of a list that is sorted so that `before` is true of its first so many items and of no other: how many. */
export function countWhile<Item>(sorted: readonly Item[], before: (item: Item) => boolean): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (before(sorted[middle] as Item)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Of marks in the order of requests: the index of the first that was requested at a moment or later. */
export function firstSince(marks: readonly Mark[], us: number): number {
  return countWhile(marks, ({ requestedUs }) => requestedUs < us);
}

/** A time in the trace, for people: `+9.628360s`. */
export function seconds(us: number): string {
  return `${us < 0 ? '-' : '+'}${(Math.abs(us) / 1e6).toFixed(6)}s`;
}
