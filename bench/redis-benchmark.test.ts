import { expect, test } from 'vitest';
import { parseRedisBenchmark } from './redis-benchmark.js';

/** As redis-benchmark 7.0.15 prints it, progress line included; some of its lines. */
const REPORT = ` SET: rps=0.0 (overall: 0.0) avg_msec=-nan (overall: -nan)\r${' '.repeat(40)}\r====== SET ======
  20000 requests completed in 0.24 seconds
  50 parallel clients
  3 bytes payload
  host configuration "save": 

Latency by percentile distribution:
0.000% <= 0.079 milliseconds (cumulative count 2)
50.000% <= 0.295 milliseconds (cumulative count 11228)
99.805% <= 1.623 milliseconds (cumulative count 19961)
99.902% <= 1.943 milliseconds (cumulative count 19981)
100.000% <= 2.287 milliseconds (cumulative count 20000)

Cumulative distribution of latencies:
0.015% <= 0.103 milliseconds (cumulative count 3)
100.000% <= 3.103 milliseconds (cumulative count 20000)

Summary:
  throughput summary: 82987.55 requests per second
  latency summary (msec):
          avg       min       p50       p95       p99       max
        0.320     0.072     0.295     0.463     0.687     2.287

`;

test('the figures of one test', () => {
  expect(parseRedisBenchmark(REPORT)).toEqual({
    requestsPerSecond: 82987.55,
    operations: 20000,
    seconds: 20000 / 82987.55,
    averageMs: 0.32,
    p50Ms: 0.295,
    p99Ms: 0.687,
    p999Ms: 1.943,
    maxMs: 2.287,
  });
});

test('so few requests that 99.9 % of them are all', () => {
  const few = REPORT.replace(/^99.*\n/gm, '');
  expect(parseRedisBenchmark(few).p999Ms).toBe(2.287);
});

test.each([
  ['nothing', '', /was to print the time of one test/],
  ['two tests', REPORT + REPORT, /was to print the time of one test/],
  ['an error', 'Error from server: NOAUTH Authentication required.\n', /Error from server: NOAUTH/],
  ['a column missing', REPORT.replace('p99 ', '    '), /was to print the latencies/],
  ['a value missing', REPORT.replace('82987.55', ''), /was to print the throughput/],
  ['no distribution', REPORT.replace(/^\d.*\n/gm, ''), /no latency at 99.9 %/],
])('%s is an error that shows what was printed', (_, text, message) => {
  expect(() => parseRedisBenchmark(text)).toThrow(message);
});
