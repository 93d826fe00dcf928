/** The whole benchmark, as small as it gets: the built one, with real servers. No number is judged, only that there is one. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { run } from '../e2e/processes.js';
import { setRequest } from './hot-path.js';
import { parseVersion } from './machine.js';
import { PEERS } from './peers.js';
import type { BenchmarkResult } from './result.js';
import { rotated } from './rounds.js';

const REQUESTS = 1000;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gaptrace-bench-test-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test('a workload through each peer, and other sections', async () => {
  const page = join(directory, 'benchmarks.md');
  const { status, stdout, stderr } = await run(process.execPath, [
    ...['dist/bench/bench.js', '--quick', '--json', '--write', page],
    ...['--sections', 'rounds,hot-path,scale,flood,idle', '--only', '^SET 3 B, P=1, c=50$'],
    ...['--requests', String(REQUESTS), '--scale', '3k', '--flood', '20k', '--idle', '50'],
  ]);
  expect(status, stderr).toBe(0);
  expect(readFileSync(page, 'utf8')).toMatch(/^# What recording costs\n/);
  expect(readFileSync(join(directory, 'benchmarks.svg'), 'utf8')).toMatch(/^<svg /);
  const { machine, sections, missing } = JSON.parse(stdout) as BenchmarkResult;
  const measurements = sections.rounds?.measurements ?? [];
  expect(measurements.map(({ peer }) => peer)).toEqual(PEERS.map(({ name }) => name));
  for (const { peer, load, cost, recording } of measurements) {
    expect(load.requestsPerSecond).toBeGreaterThan(0);
    expect(cost === null).toBe(peer === 'direct');
    expect(recording === null).toBe(peer !== 'gaptrace');
  }
  const recording = measurements.find((each) => each.recording !== null)?.recording;
  expect(recording?.operations).toBeGreaterThanOrEqual(REQUESTS);
  expect(recording?.wireBytes).toBeGreaterThan(REQUESTS);
  expect(recording?.lagOperations).toBeGreaterThanOrEqual(0);
  expect(sections['hot-path']?.map(({ chunkBytes }) => chunkBytes)).toEqual([64, 1024]);
  expect(sections.scale?.map(({ operations }) => operations >= 3000)).toEqual([true]);
  expect(sections.flood).toMatchObject({ asked: 20_000, recorded: 20_000, bytes: { inHoles: 0 } });
  expect(sections.flood?.bytes.onTheWire).toBe(sections.flood?.bytes.inOperations);
  expect(sections.idle?.map(({ connections }) => connections)).toEqual([50, 50, 50]);
  expect(missing.soak).toBe('not asked for in this run');
  expect(machine.versions.nutcracker).toMatch(/^\d+\.\d+/);
}, 120_000);

test('a usage error is one line', async () => {
  const { status, stderr } = await run(process.execPath, ['dist/bench/bench.js', '--rounds', '0']);
  expect(status).toBe(2);
  expect(stderr).toContain("option '--rounds <n>' argument '0' is invalid");
});

test('another peer begins each round', () => {
  expect([0, 1, 2, 3].map((by) => rotated(['a', 'b', 'c'], by).join(''))).toEqual([
    'abc',
    'bca',
    'cab',
    'abc',
  ]);
});

test.each([64, 100, 1024])('a request of %i bytes', (bytes) => {
  const request = setRequest(bytes).toString();
  expect(request).toHaveLength(bytes);
  expect(request).toMatch(/^\*3\r\n\$3\r\nSET\r\n\$3\r\nkey\r\n\$\d+\r\nx+\r\n$/);
});

test.each([
  ['Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=1', '7.0.15'],
  ['HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/\nStatus: …', '2.6.12'],
  ['none', 'unknown'],
])('the version in %j', (text, version) => {
  expect(parseVersion(text)).toBe(version);
});
