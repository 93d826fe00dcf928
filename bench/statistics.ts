/** What is said of a few noisy values: the one in the middle, and how far the others are from it. */

export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** Median, smallest and largest: for a handful of rounds. Throws RangeError on no values at all. */
export function spreadOf(values: readonly number[]): Spread {
  return { median: quantile(values, 0.5), low: quantile(values, 0), high: quantile(values, 1) };
}

/** Median and quartiles: for many batches, where one that was interrupted says nothing. Throws RangeError on no values at all. */
export function quartilesOf(values: readonly number[]): Spread {
  return { median: quantile(values, 0.5), low: quantile(values, 0.25), high: quantile(values, 0.75) };
}

/**
 * The ratios of values to others of the same round (same position), so that a slow moment of the machine, which hits both,
 * does not show. Throws RangeError where the numbers of rounds differ.
 */
export function ratioOf(values: readonly number[], others: readonly number[]): Spread {
  if (values.length !== others.length)
    throw new RangeError(`${values.length} rounds against ${others.length}`);
  return spreadOf(values.map((value, round) => value / (others[round] ?? Number.NaN)));
}

/**
 * The value below which this share (0..1) of the values lies; between two values, in proportion (type 7, as in R and NumPy).
 * Throws RangeError on no values at all.
 */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = (sorted.length - 1) * share;
  const below = sorted[Math.floor(position)];
  const above = sorted[Math.ceil(position)];
  if (below === undefined || above === undefined) throw new RangeError('no values');
  return below + (above - below) * (position - Math.floor(position));
}
