import { expect, test } from 'vitest';
import { parseRedisBenchmark } from './redis-benchmark.js';

/** As redis-benchmark 7.0.15 prints it. */
const HEAD =
  '"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"';
const ROW = '"SET","28280.54","1.266","0.136","0.679","3.431","8.687","145.663"';

test('the figures of one test, by the names of their columns', () => {
  expect(parseRedisBenchmark(`${HEAD}\n${ROW}\n`)).toEqual({
    requestsPerSecond: 28280.54,
    averageMs: 1.266,
    minMs: 0.136,
    p50Ms: 0.679,
    p95Ms: 3.431,
    p99Ms: 8.687,
    maxMs: 145.663,
  });
});

test('other columns, another order, and warnings before them', () => {
  const csv = `WARNING: Could not fetch server CONFIG
"test","max_latency_ms","rps","new","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms"
"SET","7","1","x","2","3","4","5","6"
`;
  expect(parseRedisBenchmark(csv)).toEqual({
    requestsPerSecond: 1,
    averageMs: 2,
    minMs: 3,
    p50Ms: 4,
    p95Ms: 5,
    p99Ms: 6,
    maxMs: 7,
  });
});

test.each([
  ['nothing', ''],
  ['no row', `${HEAD}\n`],
  ['two tests', `${HEAD}\n${ROW}\n${ROW}\n`],
  ['an error', 'Error from server: NOAUTH Authentication required.\n'],
  ['a column missing', `${HEAD.replace('p99', 'p98')}\n${ROW}\n`],
  ['a value missing', `${HEAD}\n${ROW.replace('"28280.54"', '""')}\n`],
])('%s is an error that shows what was printed', (_, csv) => {
  expect(() => parseRedisBenchmark(csv)).toThrow(/^redis-benchmark (was to print|printed no)/);
});
