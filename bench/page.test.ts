import { expect, test } from 'vitest';
import { renderHowClose } from './how-close.js';
import { table } from './markdown.js';
import { renderPage } from './page.js';
import { EXAMPLE_RESULT } from './testing/example-result.js';

const lines = renderPage(EXAMPLE_RESULT, 'benchmarks.svg').split('\n');

/** The rows of the table below a title. */
function tableBelow(title: string, rows: number): readonly string[] {
  const at = lines.findIndex((line, n) => line.startsWith('|') && n > lines.indexOf(title));
  return lines.slice(at, at + 2 + rows);
}

test('says where, when and with what it was measured', () => {
  expect(lines).toContain(
    '2026-11-23, Some CPU, 2 cores, 8 GiB, Linux 6.1; load average in the minute before: 0.3. ' +
      'gaptrace 0.1.0, Node 20.19.0, Redis 7.0.15, HAProxy 2.6.12, nutcracker 0.5.0. ' +
      '3 rounds of the workloads with a target, 2 of the others; ' +
      '60,000 requests of `SET` with 50 connections, and of the others what takes about as long.',
  );
  expect(lines).toContain('![The same figures as bars and lines](benchmarks.svg)');
});

test('the targets come first, those missed and those not measured included', () => {
  const titles = lines.filter((line) => line.startsWith('## '));
  expect(titles[0]).toBe('## Asked, measured, reached?');
  expect(lines).toContain(
    '| requests/s of the bare pipe’s, P=1, c=50 | ≥ 0.90 | 0.75 (0.75..0.90) | **no** |',
  );
  expect(lines).toContain(
    '| a slow disk, --on-overload pause | < 200 MB; none missing | not measured: it failed: a \\| b c | – |',
  );
});

test('how close a proxy in Node can come is said where all of its figures were measured', () => {
  const measurements = EXAMPLE_RESULT.sections.rounds?.measurements ?? [];
  expect(renderHowClose(measurements)).toBeNull(); // what the bare pipe cost is not among them
  const cost = measurements.find(({ peer }) => peer === 'gaptrace')?.cost ?? null;
  const costs = measurements.map((one) => ({ ...one, cost: one.cost ?? cost }));
  const text = renderHowClose(costs);
  expect(text).toContain('To the bare pipe, 0.75 here: the thread that forwards takes 1.00 of the CPU time');
  expect(text).toContain(
    '0.80 of HAProxy’s requests (P=1, c=50) and 2.00 of those under MONITOR (P=16, c=50)',
  );
});

test('a row a peer, in the order of the first round: medians, ends, and ratios within the rounds', () => {
  const latencies = '0.500 (0.500..0.500) | 3.000 (3.000..3.000) | 7.000 (7.000..7.000) |';
  expect(tableBelow('### SET 3 B, P=1, c=50', 5)).toEqual([
    '|  | requests/s | of bare pipe | of HAProxy | p50 ms | p99 ms | p99.9 ms |',
    '| --- | --: | --: | --: | --: | --: | --: |',
    `| direct | 100,000 (10,000..110,000) | 2.50 (2.50..2.75) | 2.00 (1.83..2.00) | ${latencies}`,
    `| HAProxy | 50,000 (5,000..60,000) | 1.25 (1.25..1.50) | 1 | ${latencies}`,
    `| bare pipe | 40,000 (4,000..40,000) | 1 | 0.80 (0.67..0.80) | ${latencies}`,
    `| gaptrace | 30,000 (3,000..36,000) | 0.75 (0.75..0.90) | 0.60 (0.60..0.60) | ${latencies.replace('0.500 (0.500..0.500)', '0.550 (0.550..0.550)')}`,
    // 60,000 requests in 2 s of load and 2 s of catching up, and so on.
    '| gaptrace, index kept up | 15,000 (2,727..16,364) | 0.41 (0.38..0.68) | 0.30 (0.27..0.55) |  |  |  |',
  ]);
});

test('all workloads, with what nutcracker cannot proxy', () => {
  expect(lines).toContain(
    '| SET 3 B, P=1, c=50 | 100,000 | 50,000 | 40,000 | 30,000 | – | 15,000 | 0.75 | 0.60 |',
  );
  expect(lines).toContain('nutcracker cannot proxy BZPOPMIN, MULTI and scripts with several keys.');
});

test('what a proxy costs, and what its recording does behind the forwarding', () => {
  expect(lines).toContain('| SET 3 B, P=1, c=50 | 40.0 / 25.0 |');
  expect(lines).toContain('| SET 3 B, P=1, c=50 | 8.0 | 8.0 | 8.0 | 8.0 | – |');
  expect(lines).toContain('| SET 3 B, P=1, c=50 | 128 |');
  expect(lines).toContain(
    '| SET 3 B, P=1, c=50 | 120,002 | 3,000 (3,000..3,000) | 2.0 (2.0..2.0) | 1.50 (1.50..1.50) | 17 |',
  );
});

test('the sections that do not come in rounds', () => {
  expect(lines).toContain('| 64 | 301 (250..400) | 0 |');
  expect(tableBelow('## Analysis at scale', 2).at(-1)).toBe(
    '| 10,000,000 | 100 | 5.0 (2,000,000/s) | 61.0 (163,934/s) | 180 | 0.90 | 0.40 | 100 | 60.0 (166,667/s) | 400 | 250 |',
  );
  expect(lines).toContain(
    'Resident memory 90 to 140 MB in 10 samples while the load ran, 150 MB at most, catching up included; ' +
      'from the second fifth of the time to the last +0.0 %.',
  );
  expect(lines).toContain('| gaptrace | 10,000 | 100.0 | 295.3 | 20.0 |');
  expect(lines).toContain('Not measured: it failed: a | b');
});

test('a table is Markdown, whatever is in it', () => {
  expect(table(['a', 'b'], [['x', '1']])).toBe('| a | b |\n| --- | --: |\n| x | 1 |');
  expect(table(['a', 'b'], [['x|y', '1\n2']], 2)).toBe('| a | b |\n| --- | --- |\n| x\\|y | 1 2 |');
});
