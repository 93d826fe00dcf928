/** The load: redis-benchmark of redis-tools, and what its `--csv` says. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** One row of `redis-benchmark --csv`. Latencies are from the first byte of a pipeline's requests to its last reply. */
export interface LoadFigures {
  readonly requestsPerSecond: number;
  readonly averageMs: number;
  readonly minMs: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** `args` say what to do: one test, its number of requests, connections and pipelining. */
export async function runRedisBenchmark(port: number, args: readonly string[]): Promise<LoadFigures> {
  const all = ['-h', '127.0.0.1', '-p', String(port), '--csv', ...args];
  const { stdout } = await promisify(execFile)('redis-benchmark', all);
  return parseRedisBenchmark(stdout);
}

const COLUMNS = {
  requestsPerSecond: 'rps',
  averageMs: 'avg_latency_ms',
  minMs: 'min_latency_ms',
  p50Ms: 'p50_latency_ms',
  p95Ms: 'p95_latency_ms',
  p99Ms: 'p99_latency_ms',
  maxMs: 'max_latency_ms',
} as const satisfies Record<keyof LoadFigures, string>;

/** The one row below the head line; columns are found by name. Throws on anything else, such as two tests. */
export function parseRedisBenchmark(csv: string): LoadFigures {
  const lines = csv.split('\n').filter((line) => line.startsWith('"'));
  const [head, row] = lines.map((line) => line.split(',').map((field) => field.replaceAll('"', '').trim()));
  if (head === undefined || row === undefined || lines.length !== 2)
    throw new Error(`redis-benchmark was to print the result of one test; it printed:\n${csv}`);
  const figures = Object.entries(COLUMNS).map(([name, column]) => {
    const at = head.indexOf(column);
    const value = Number(row[at] || Number.NaN);
    if (Number.isNaN(value)) throw new Error(`redis-benchmark printed no ${column}:\n${csv}`);
    return [name, value] as const;
  });
  return Object.fromEntries(figures) as Record<keyof LoadFigures, number>;
}
