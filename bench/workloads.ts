/** What is asked of each peer. A further workload is one more entry. */

export interface Workload {
  readonly name: string;
  /** Requests, as a multiple of `--requests`, so that each workload takes about as long. */
  readonly share: number;
  /** Arguments of redis-benchmark but for the number of requests. */
  readonly args: readonly string[];
}

/** 3 bytes under one of 10,000 keys: as small as requests get, so that the cost of each weighs most. */
const SMALL_SET = ['-t', 'set', '-d', '3', '-r', '10000'];

export const WORKLOADS: readonly Workload[] = [
  { name: 'SET, 50 connections', share: 1, args: [...SMALL_SET, '-c', '50', '-P', '1'] },
  { name: 'SET, 50 connections, pipelines of 16', share: 5, args: [...SMALL_SET, '-c', '50', '-P', '16'] },
  { name: 'SET, 1 connection', share: 0.25, args: [...SMALL_SET, '-c', '1', '-P', '1'] },
];
