/** The load: redis-benchmark of redis-tools, and what it prints. Its latencies come in steps of 8 us. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { LoadFigures } from './load.js';

/** `args` say what to do: one test, its connections and pipelining. */
export async function runRedisBenchmark(
  port: number,
  requests: number,
  args: readonly string[],
): Promise<LoadFigures> {
  const all = ['-h', '127.0.0.1', '-p', String(port), '-n', String(requests), '--precision', '3', ...args];
  const { stdout } = await promisify(execFile)('redis-benchmark', all, { maxBuffer: 64 * 2 ** 20 });
  return parseRedisBenchmark(stdout);
}

/** Its report on one test (not `--csv`, which leaves p99.9 out). Throws on anything else, such as two tests. */
export function parseRedisBenchmark(text: string): LoadFigures {
  const find = (what: string, pattern: RegExp): readonly number[] => {
    const found = [...text.matchAll(pattern)];
    const numbers = found[0]?.slice(1).map(Number) ?? [];
    if (found.length !== 1 || numbers.some(Number.isNaN))
      throw new Error(`redis-benchmark was to print ${what} of one test; it printed:\n${text}`);
    return numbers;
  };
  const [operations = 0, seconds = 0] = find(
    'the time',
    /^ +(\d+) requests completed in ([\d.]+) seconds$/gm,
  );
  const [requestsPerSecond = 0] = find(
    'the throughput',
    /^ +throughput summary: ([\d.]+) requests per second$/gm,
  );
  const [averageMs = 0, , p50Ms = 0, , p99Ms = 0, maxMs = 0] = find(
    'the latencies',
    /^ +avg +min +p50 +p95 +p99 +max *\n +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+) +([\d.]+) *$/gm,
  );
  return {
    requestsPerSecond,
    operations,
    seconds: Math.max(seconds, operations / requestsPerSecond),
    averageMs,
    p50Ms,
    p99Ms,
    p999Ms: firstAbove(text, 99.9),
    maxMs,
  };
}

/** From its `Latency by percentile distribution`, whose steps get finer: the first one that is this high, or above. */
function firstAbove(text: string, percent: number): number {
  const distribution = /^Latency by percentile distribution:\n((?:.+\n)+)/m.exec(text)?.[1] ?? '';
  for (const [, share, ms] of distribution.matchAll(/^([\d.]+)% <= ([\d.]+) milliseconds/gm))
    if (Number(share) >= percent) return Number(ms);
  throw new Error(`redis-benchmark printed no latency at ${percent} %:\n${text}`);
}
