/**
 * The result at a glance, as SVG: requests/s through each peer as a share of the bare pipe's, and seconds over the size of a trace.
 * Pure: a result in, text out. What was not measured has no panel.
 */
import { RATE, ratioAt, workloadsOf } from './measured.js';
import { BARE_PIPE, DIRECT, GAPTRACE, HAPROXY, MONITOR, NUTCRACKER } from './peers.js';
import type { BenchmarkResult, RoundsFigures } from './result.js';
import type { ScaleFigures } from './scale.js';

const WIDTH = 860;
const MARGIN = 24;
const LABELS = 170;
const BAR = 14;
const INK = '#24292f';
const FAINT = '#d0d7de';

const COLOURS: Readonly<Record<string, string>> = {
  [DIRECT.name]: '#afb8c1',
  [HAPROXY.name]: '#54aeff',
  [NUTCRACKER.name]: '#a475f9',
  [GAPTRACE.name]: '#cf222e',
  [MONITOR.name]: '#bf8700',
};

/** So much of a drawing, and how high it is. */
interface Panel {
  readonly svg: string;
  readonly height: number;
}

export function renderChart({ sections }: BenchmarkResult): string {
  const panels = [
    ...(sections.rounds === undefined ? [] : [ratios(sections.rounds)]),
    ...(sections.scale === undefined || sections.scale.length === 0 ? [] : [costs(sections.scale)]),
  ];
  let top = MARGIN;
  const placed = panels.map(({ svg, height }) => {
    const at = `<g transform="translate(${MARGIN} ${top})">\n${svg}\n</g>`;
    top += height + MARGIN;
    return at;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${top}" font-family="sans-serif" font-size="12" fill="${INK}">`,
    '<title>What recording and analysis cost: the figures of the page beside it</title>',
    `<rect width="${WIDTH}" height="${top}" fill="#ffffff"/>`,
    ...placed,
    '</svg>\n',
  ].join('\n');
}

/** A bar a peer, for each workload with a target; the bare pipe is the line at 1. */
function ratios({ measurements }: RoundsFigures): Panel {
  const right = WIDTH - 2 * MARGIN - 60;
  const groups = workloadsOf(measurements.filter(({ judged }) => judged)).map((workload) => ({
    workload,
    bars: Object.keys(COLOURS).flatMap((peer) => {
      const ratio = ratioAt(measurements, workload, [peer, BARE_PIPE.name], RATE);
      return ratio === null ? [] : [{ peer, ratio }];
    }),
  }));
  const most = Math.max(1, ...groups.flatMap(({ bars }) => bars.map(({ ratio }) => ratio.high)));
  const x = (ratio: number): number => round(LABELS + (ratio / most) * (right - LABELS));
  const lines = [text(0, 0, 'Requests/s, as a multiple of the bare Node pipe’s', 'start', 'bold')];
  lines.push(legend(20));
  let y = 44;
  for (const { workload, bars } of groups) {
    lines.push(text(0, y + (bars.length * BAR) / 2 + 4, workload, 'start'));
    for (const { peer, ratio } of bars) {
      lines.push(
        `<rect x="${LABELS}" y="${y}" width="${round(x(ratio.median) - LABELS)}" height="${BAR - 3}" fill="${COLOURS[peer]}"/>`,
        line(x(ratio.low), y + BAR / 2 - 1.5, x(ratio.high), y + BAR / 2 - 1.5, INK),
        text(x(ratio.high) + 6, y + BAR - 4, ratio.median.toFixed(2), 'start'),
      );
      y += BAR;
    }
    y += 12;
  }
  lines.push(line(x(1), 36, x(1), y - 8, INK, '4 3'), text(x(1), y + 6, '1 = bare pipe', 'middle'));
  return { svg: lines.join('\n'), height: y + 12 };
}

function legend(y: number): string {
  return Object.entries(COLOURS)
    .map(
      ([peer, colour], at) =>
        `<rect x="${LABELS + at * 110}" y="${y - 10}" width="10" height="10" fill="${colour}"/>` +
        text(LABELS + at * 110 + 15, y, peer, 'start'),
    )
    .join('\n');
}

/** Seconds to index and to audit, over operations: on a straight line from nothing where the cost is linear. */
function costs(figures: readonly ScaleFigures[]): Panel {
  const height = 240;
  const left = 60;
  const right = WIDTH - 2 * MARGIN - 120;
  const series = [
    { name: 'index', colour: '#0969da', seconds: figures.map(({ indexSeconds }) => indexSeconds) },
    { name: 'audit', colour: '#cf222e', seconds: figures.map(({ auditSeconds }) => auditSeconds) },
  ];
  const operations = figures.map((each) => each.operations);
  const most = Math.max(...operations);
  const longest = Math.max(...series.flatMap(({ seconds }) => seconds));
  const x = (count: number): number => round(left + (count / most) * (right - left));
  const y = (seconds: number): number => round(height - (seconds / longest) * (height - 40));
  const lines = [
    text(
      0,
      0,
      'Seconds over operations in the trace; dashed: in proportion to the smallest',
      'start',
      'bold',
    ),
    line(left, height, right, height, FAINT),
    line(left, 40, left, height, FAINT),
    text(left - 8, y(longest) + 4, `${longest.toFixed(1)} s`, 'end'),
    text(left - 8, height + 4, '0', 'end'),
    ...operations.map((count) => text(x(count), height + 18, millions(count), 'middle')),
  ];
  for (const { name, colour, seconds } of series) {
    const points = seconds.map((each, at) => [x(operations[at] ?? 0), y(each)] as const);
    const slope = (seconds[0] ?? 0) / (operations[0] ?? 1);
    const [, lastY] = points.at(-1) ?? [0, 0];
    const until = Math.min(most, longest / slope);
    lines.push(
      line(x(0), y(0), x(until), y(until * slope), colour, '4 3'),
      `<polyline points="${points.map((point) => point.join(',')).join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
      ...points.map(([px, py]) => `<circle cx="${px}" cy="${py}" r="3.5" fill="${colour}"/>`),
      text(right + 10, lastY + 4, `${name} ${(seconds.at(-1) ?? 0).toFixed(1)} s`, 'start'),
    );
  }
  return { svg: lines.join('\n'), height: height + 24 };
}

function millions(count: number): string {
  return count >= 1e6 ? `${Number((count / 1e6).toFixed(1))}M` : `${Math.round(count / 1e3)}k`;
}

// --- elements ----------------------------------------------------------------------------------------------------

function text(
  x: number,
  y: number,
  content: string,
  anchor: 'start' | 'middle' | 'end',
  weight = 'normal',
): string {
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" font-weight="${weight}">${escaped(content)}</text>`;
}

function line(x1: number, y1: number, x2: number, y2: number, colour: string, dashes?: string): string {
  const dashed = dashes === undefined ? '' : ` stroke-dasharray="${dashes}"`;
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="${colour}"${dashed}/>`;
}

function escaped(content: string): string {
  return content
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
