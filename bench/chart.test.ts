import { expect, test } from 'vitest';
import { renderChart } from './chart.js';
import { EXAMPLE_RESULT } from './testing/example-result.js';
import { ONE_CONNECTION } from './workloads.js';

const svg = renderChart(EXAMPLE_RESULT);

test('a bar a peer for each workload with a target, as long as its ratio to the bare pipe', () => {
  const widths = [
    ...svg.matchAll(/<rect x="170" y="[\d.]+" width="([\d.]+)" height="11" fill="(#\w+)"/g),
  ].map(([, width, colour]) => [colour, Number(width)] as const);
  // Four workloads at direct, HAProxy and gaptrace, and one under MONITOR.
  expect(widths).toHaveLength(13);
  const [direct, , gaptrace] = widths.map(([, width]) => width);
  expect((direct ?? 0) / (gaptrace ?? 1)).toBeCloseTo(2.5 / 0.75, 1);
});

test('a line for each cost over the size of a trace, with a point a size', () => {
  expect(svg.match(/<polyline/g)).toHaveLength(2);
  expect(svg.match(/<circle/g)).toHaveLength(4);
  expect(svg).toContain('>10M<');
});

test('every element is closed, and text is escaped', () => {
  const elements = [...svg.matchAll(/<(\/?)(\w+)[^<>]*?(\/?)>/g)];
  const depth = elements.reduce((sum, [, end, , single]) => sum + (end ? -1 : single ? 0 : 1), 0);
  expect(depth).toBe(0);
  const { rounds } = EXAMPLE_RESULT.sections;
  const named = rounds?.measurements
    .filter(({ workload }) => workload === ONE_CONNECTION)
    .map((each) => ({ ...each, workload: '<a> & "b"' }));
  const sections = rounds && named && { rounds: { ...rounds, measurements: named } };
  expect(renderChart({ ...EXAMPLE_RESULT, sections: sections ?? {} })).toContain(
    '&lt;a&gt; &amp; &quot;b&quot;',
  );
});

test('no panel without figures', () => {
  const empty = renderChart({ ...EXAMPLE_RESULT, sections: {} });
  expect(empty).not.toContain('<text');
  expect(empty).toMatch(/^<svg .*<\/svg>\n$/s);
});
