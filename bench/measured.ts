/** What the measurements of the rounds say of a workload at a peer, and at one peer compared with another. */
import type { Measurement } from './rounds.js';
import { ratioOf, type Spread, spreadOf } from './statistics.js';

type Value = (measurement: Measurement) => number;

export const RATE: Value = ({ load }) => load.requestsPerSecond;

/** By round. */
export function measuredAt(
  measurements: readonly Measurement[],
  workload: string,
  peer: string,
): readonly Measurement[] {
  return measurements
    .filter((each) => each.workload === workload && each.peer === peer)
    .sort((a, b) => a.round - b.round);
}

/** Null when it was not measured. */
export function valueAt(
  measurements: readonly Measurement[],
  workload: string,
  peer: string,
  value: Value,
): Spread | null {
  const own = measuredAt(measurements, workload, peer);
  return own.length === 0 ? null : spreadOf(own.map(value));
}

/** Round by round. Null when one of the two was not measured. */
export function ratioAt(
  measurements: readonly Measurement[],
  workload: string,
  [peer, other]: readonly [string, string],
  value: Value,
): Spread | null {
  const own = measuredAt(measurements, workload, peer);
  const others = measuredAt(measurements, workload, other);
  return own.length === 0 || others.length === 0 ? null : ratioOf(own.map(value), others.map(value));
}

/**
 * Operations of the load by all the time that it took: to send them and to have them all in the index. Only for what is recorded; what was
 * recorded before the load began was in the index by then.
 */
export function rateIndexKeptUp({ load, recording }: Measurement): number {
  if (recording === null) throw new RangeError('nothing was recorded');
  const requests = load.requestsPerSecond * load.seconds;
  return requests / (load.seconds + recording.catchUpSeconds);
}

/** In the order of the first round. */
export function peersOf(measurements: readonly Measurement[]): readonly string[] {
  return distinct(measurements.map(({ peer }) => peer));
}

export function workloadsOf(measurements: readonly Measurement[]): readonly string[] {
  return distinct(measurements.map(({ workload }) => workload));
}

function distinct(names: readonly string[]): readonly string[] {
  return [...new Set(names)];
}
