/**
 * gaptrace under a load that does not end: is every operation there, or counted as missing, and does memory stay where it is? Redis' own
 * count of its commands is what the trace is held against.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { Redis } from 'ioredis';
import { startGaptrace } from './peers.js';
import { readPeakRss, readRss } from './process-cost.js';
import { runRedisBenchmark } from './redis-benchmark.js';
import { spreadOf } from './statistics.js';
import {
  countSets,
  operationsIndexed,
  type RecordedBytes,
  readRecordedBytes,
  readTraceFacts,
} from './trace-facts.js';

export interface EnduranceFigures {
  /** Of the load alone. */
  readonly seconds: number;
  readonly requestsPerSecond: number;
  /** SET commands that Redis counted (`INFO commandstats`). */
  readonly asked: number;
  /** SET commands in the trace. */
  readonly recorded: number;
  readonly bytes: RecordedBytes;
  readonly lagOperations: number;
  readonly catchUpSeconds: number;
  readonly traceBytes: number;
  readonly peakRssBytes: number;
  /** While the load ran. */
  readonly rss: readonly RssSample[];
}

export interface RssSample {
  /** From the start of the load. */
  readonly seconds: number;
  readonly bytes: number;
}

export interface Endurance {
  /** Further ones of `gaptrace proxy`. */
  readonly flags: readonly string[];
  /** Arguments of redis-benchmark: a load of SET. */
  readonly args: readonly string[];
  /** Requests of one run of it, repeated until both `requests` and `seconds` are reached. */
  readonly requestsAtATime: number;
  readonly requests: number;
  readonly seconds: number;
  readonly redisPort: number;
  readonly directory: string;
}

const SMALL_SET = ['-t', 'set', '-d', '3', '-r', '10000', '-c', '50'];
/** As much as redis-benchmark can ask. */
export const FULL_LOAD: readonly string[] = [...SMALL_SET, '-P', '16'];
/** As much as 50 clients can ask that wait for each reply. */
export const ONE_BY_ONE: readonly string[] = [...SMALL_SET, '-P', '1'];

const BETWEEN_SAMPLES_MS = 1_000;

export async function endure(plan: Endurance): Promise<EnduranceFigures> {
  const directory = mkdtempSync(join(plan.directory, 'endurance-'));
  const redis = new Redis({ host: '127.0.0.1', port: plan.redisPort });
  try {
    const { port, server, trace } = await startGaptrace(plan.redisPort, directory, plan.flags);
    await redis.config('RESETSTAT');
    const fromMs = performance.now();
    const elapsed = (): number => (performance.now() - fromMs) / 1000;
    const rss: RssSample[] = [];
    const sampling = setInterval(() => {
      const bytes = readRss(server.pid);
      if (bytes !== null) rss.push({ seconds: elapsed(), bytes });
    }, BETWEEN_SAMPLES_MS);
    let requests = 0;
    while (requests < plan.requests || elapsed() < plan.seconds) {
      await runRedisBenchmark(port, plan.requestsAtATime, plan.args);
      requests += plan.requestsAtATime;
    }
    const seconds = elapsed();
    clearInterval(sampling);
    const indexed = operationsIndexed(trace);
    const asked = setsOf(await redis.info('commandstats'));
    const peakBefore = readPeakRss(server.pid) ?? 0;
    const stopped = await server.stop();
    const facts = readTraceFacts(trace);
    return {
      seconds,
      requestsPerSecond: requests / seconds,
      asked,
      recorded: countSets(trace),
      bytes: readRecordedBytes(trace),
      lagOperations: facts.operations - indexed,
      catchUpSeconds: stopped.seconds,
      traceBytes: facts.traceBytes,
      peakRssBytes: Math.max(peakBefore, stopped.cost.peakRssBytes),
      rss,
    };
  } finally {
    redis.disconnect();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Calls of SET in an `INFO commandstats`. */
export function setsOf(commandStats: string): number {
  return Number(/^cmdstat_set:calls=(\d+)/m.exec(commandStats)?.[1] ?? 0);
}

/**
 * How much memory grew, as a share of what it was: from the second fifth of the time (the first one is for filling what a process fills
 * once) to the last, medians of both. Null where there are too few samples to say.
 */
export function growthOf(samples: readonly RssSample[]): number | null {
  const fifth = Math.floor(samples.length / 5);
  if (fifth === 0) return null;
  const median = (from: number): number =>
    spreadOf(samples.slice(from, from + fifth).map(({ bytes }) => bytes)).median;
  return median(samples.length - fifth) / median(fifth) - 1;
}
