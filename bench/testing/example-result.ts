/** A run as small as it can be that has every section: what the page, its targets and its chart are tested with. */
import type { EnduranceFigures } from '../endurance.js';
import type { BenchmarkResult } from '../result.js';
import type { Measurement } from '../rounds.js';
import { CHANNEL_LAYER, ONE_CONNECTION, PIPELINED, SMALLEST } from '../workloads.js';

const MB = 2 ** 20;

function measured(
  round: number,
  workload: string,
  peer: string,
  requestsPerSecond: number,
  more: Partial<Measurement> = {},
): Measurement {
  const latencies = {
    averageMs: 0.6,
    p50Ms: peer === 'gaptrace' ? 0.55 : 0.5,
    p99Ms: 3,
    p999Ms: 7,
    maxMs: 9,
  };
  const load = { ...latencies, requestsPerSecond, operations: 60_000, seconds: 60_000 / requestsPerSecond };
  const unit = workload === CHANNEL_LAYER ? 'deliveries' : 'requests';
  return {
    round,
    workload,
    unit,
    judged: true,
    peer,
    load,
    cost: null,
    redisCpuSecondsAMillion: 8,
    recording: null,
    ...more,
  };
}

const RECORDED: Partial<Measurement> = {
  cost: { cpuSecondsAMillion: 40, mainThreadCpuSecondsAMillion: 25, peakRssBytes: 128 * MB },
  recording: {
    operations: 120_002,
    wireBytes: 6_000_000,
    traceBytes: 9_000_000,
    bytesNotRecorded: 17,
    lagOperations: 3_000,
    catchUpSeconds: 2,
  },
};

/** In each round, direct, HAProxy, bare pipe and gaptrace at these rates. The second is a slow moment of the machine. */
function rounds(workload: string, rates: readonly (readonly number[])[]): readonly Measurement[] {
  return rates.flatMap(([direct = 0, haproxy = 0, pipe = 0, gaptrace = 0], at) => [
    measured(at + 1, workload, 'direct', direct),
    measured(at + 1, workload, 'HAProxy', haproxy),
    measured(at + 1, workload, 'bare pipe', pipe),
    measured(at + 1, workload, 'gaptrace', gaptrace, RECORDED),
  ]);
}

export const ENDURED: EnduranceFigures = {
  seconds: 600,
  requestsPerSecond: 33_334,
  asked: 20_000_000,
  recorded: 20_000_000,
  bytes: { onTheWire: 1_000_000_000, inOperations: 1_000_000_000, inHoles: 0 },
  lagOperations: 100,
  catchUpSeconds: 1.5,
  traceBytes: 2000 * MB,
  peakRssBytes: 150 * MB,
  rss: Array.from({ length: 10 }, (_, at) => ({ seconds: at * 60, bytes: (at === 0 ? 90 : 140) * MB })),
};

export const EXAMPLE_RESULT: BenchmarkResult = {
  schema: 2,
  date: '2026-11-23T16:00:00.000Z',
  machine: {
    cpu: 'Some CPU',
    cores: 2,
    memoryBytes: 8 * 2 ** 30,
    kernel: 'Linux 6.1',
    loadBefore: 0.25,
    versions: { gaptrace: '0.1.0', node: '20.19.0', redis: '7.0.15', haproxy: '2.6.12', nutcracker: '0.5.0' },
  },
  sections: {
    rounds: {
      rounds: 3,
      unjudgedRounds: 2,
      requests: 60_000,
      measurements: [
        ...rounds(SMALLEST, [
          [100_000, 50_000, 40_000, 30_000],
          [10_000, 5_000, 4_000, 3_000],
          [110_000, 60_000, 40_000, 36_000],
        ]),
        ...rounds(ONE_CONNECTION, [[14_000, 10_000, 8_000, 7_500]]),
        ...rounds(PIPELINED, [[700_000, 450_000, 400_000, 380_000]]),
        measured(1, PIPELINED, 'MONITOR', 200_000),
        ...rounds(CHANNEL_LAYER, [[9_000, 8_000, 7_000, 6_900]]),
      ],
    },
    'hot-path': [
      { chunkBytes: 64, nanosecondsAChunk: { median: 301.2, low: 250, high: 400 }, bytesNotRecorded: 0 },
    ],
    scale: [scaled(1_000_000, 6, 4), scaled(10_000_000, 61, 60)],
    flood: {
      ...ENDURED,
      recorded: 19_999_000,
      bytes: { onTheWire: 1_000_000_000, inOperations: 999_960_000, inHoles: 40_000 },
      peakRssBytes: 220 * MB,
    },
    soak: ENDURED,
    idle: [{ peer: 'gaptrace', connections: 10_000, rssBeforeBytes: 100 * MB, rssAfterBytes: 295.3125 * MB }],
  },
  missing: { 'slow-disk': 'it failed: a | b\nc' },
};

function scaled(operations: number, indexSeconds: number, auditSeconds: number) {
  return {
    operations,
    generateSeconds: 5,
    indexSeconds,
    indexPeakRssBytes: 180 * MB,
    traceBytes: 100 * MB,
    gapFirstSeconds: 0.9,
    gapAgainSeconds: 0.4,
    gapPeakRssBytes: 100 * MB,
    auditSeconds,
    auditPeakRssBytes: 400 * MB,
    queryKeySeconds: 0.25,
  };
}
