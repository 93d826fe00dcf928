/** What a load says of itself, whichever program makes it. */
import { quantile } from './statistics.js';

export interface LoadFigures {
  /** Of the unit that the workload counts: requests, or deliveries. */
  readonly requestsPerSecond: number;
  /** What Redis was asked, of which the unit may be many. */
  readonly operations: number;
  readonly seconds: number;
  /** Latencies are from the first byte of a request (of a pipeline's first) to the last byte of its reply (of the last one). */
  readonly averageMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

/** Of a load that took all its latencies itself, one a request. Throws RangeError when there is none. */
export function loadFiguresOf(
  latenciesMs: readonly number[],
  seconds: number,
  operations: number,
): LoadFigures {
  return {
    requestsPerSecond: latenciesMs.length / seconds,
    operations,
    seconds,
    averageMs: latenciesMs.reduce((sum, each) => sum + each, 0) / latenciesMs.length,
    p50Ms: quantile(latenciesMs, 0.5),
    p99Ms: quantile(latenciesMs, 0.99),
    p999Ms: quantile(latenciesMs, 0.999),
    maxMs: quantile(latenciesMs, 1),
  };
}
