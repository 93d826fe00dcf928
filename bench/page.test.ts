import { expect, test } from 'vitest';
import { renderHotPath, renderPage, table } from './page.js';
import type { BenchmarkResult } from './result.js';
import type { Measurement } from './rounds.js';

const LOAD = { averageMs: 1, minMs: 0, p50Ms: 0.5, p95Ms: 2, p99Ms: 3, maxMs: 9 };

function measured(
  round: number,
  peer: string,
  requestsPerSecond: number,
  more: Partial<Measurement> = {},
): Measurement {
  const load = { ...LOAD, requestsPerSecond };
  return { round, workload: 'SET', peer, load, cost: null, recording: null, ...more };
}

const RECORDED: Partial<Measurement> = {
  cost: { cpuSecondsAMillion: 40, mainThreadCpuSecondsAMillion: 25, peakRssBytes: 128 * 2 ** 20 },
  recording: {
    operations: 120_002,
    wireBytes: 6_000_000,
    traceBytes: 9_000_000,
    bytesNotRecorded: 17,
    lagOperations: 3_000,
    catchUpSeconds: 0.44,
  },
};

const RESULT: BenchmarkResult = {
  schema: 1,
  date: '2026-11-23T16:00:00.000Z',
  machine: {
    cpu: 'Some CPU',
    cores: 2,
    memoryBytes: 8 * 2 ** 30,
    kernel: 'Linux 6.1',
    loadBefore: 0.25,
    versions: { gaptrace: '0.1.0', node: '20.19.0', redis: '7.0.15', haproxy: '2.6.12' },
  },
  rounds: 3,
  requests: 100_000,
  measurements: [
    ...[measured(1, 'direct', 100_000), measured(1, 'HAProxy', 50_000)],
    ...[measured(1, 'bare pipe', 40_000), measured(1, 'gaptrace', 30_000, RECORDED)],
    // A slow moment of the machine: the ratios stay.
    ...[measured(2, 'HAProxy', 5_000), measured(2, 'bare pipe', 4_000)],
    ...[measured(2, 'gaptrace', 3_000, RECORDED), measured(2, 'direct', 10_000)],
    ...[measured(3, 'bare pipe', 40_000), measured(3, 'gaptrace', 36_000, RECORDED)],
    ...[measured(3, 'direct', 110_000), measured(3, 'HAProxy', 60_000)],
  ],
  hotPath: [
    { chunkBytes: 64, nanosecondsAChunk: { median: 301.2, low: 250, high: 400 }, bytesNotRecorded: 0 },
  ],
};

const lines = renderPage(RESULT).split('\n');

test('says where, when and with what it was measured', () => {
  expect(lines).toContain(
    '2026-11-23, Some CPU, 2 cores, 8 GiB, Linux 6.1; load average in the minute before: 0.3. ' +
      'gaptrace 0.1.0, Node 20.19.0, Redis 7.0.15, HAProxy 2.6.12. 3 rounds; 100,000 requests for the first workload.',
  );
});

test('a row a peer, in the order of the first round: medians, ends, and ratios within the rounds', () => {
  const at = lines.indexOf('## SET') + 2;
  expect(lines.slice(at, at + 6)).toEqual([
    '|  | requests/s | of bare pipe | of HAProxy | p50 ms | p99 ms |',
    '| --- | --: | --: | --: | --: | --: |',
    '| direct | 100,000 (10,000..110,000) | 2.50 (2.50..2.75) | 2.00 (1.83..2.00) | 0.500 (0.500..0.500) | 3.000 (3.000..3.000) |',
    '| HAProxy | 50,000 (5,000..60,000) | 1.25 (1.25..1.50) | 1 | 0.500 (0.500..0.500) | 3.000 (3.000..3.000) |',
    '| bare pipe | 40,000 (4,000..40,000) | 1 | 0.80 (0.67..0.80) | 0.500 (0.500..0.500) | 3.000 (3.000..3.000) |',
    '| gaptrace | 30,000 (3,000..36,000) | 0.75 (0.75..0.90) | 0.60 (0.60..0.60) | 0.500 (0.500..0.500) | 3.000 (3.000..3.000) |',
  ]);
});

test('what a proxy costs, and what its recording does behind the forwarding', () => {
  expect(lines).toContain('| SET | gaptrace | 40.0 (40.0..40.0) | 25.0 (25.0..25.0) | 128 (128..128) |');
  expect(lines).toContain(
    '| SET | 120,002 | 3,000 (3,000..3,000) | 0.4 (0.4..0.4) | 1.50 (1.50..1.50) | 17 |',
  );
  expect(lines.filter((line) => line.startsWith('| SET | direct'))).toEqual([]);
});

test('the hot path, in the page and alone', () => {
  expect(lines).toContain('| 64 | 301 (250..400) | 0 |');
  expect(renderHotPath(RESULT.hotPath)).toContain('| 64 | 301 (250..400) | 0 |');
});

test('a table is Markdown', () => {
  expect(table(['a', 'b'], [['x', '1']])).toBe('| a | b |\n| --- | --: |\n| x | 1 |');
});
