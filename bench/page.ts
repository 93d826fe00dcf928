/** The result as a page of Markdown: docs/benchmarks.md. Pure: a result in, text out. */
import { renderHowClose } from './how-close.js';
import type { Machine } from './machine.js';
import { table } from './markdown.js';
import { renderEndurance, renderHotPath, renderIdle, renderScale, renderSlowDisk } from './page-other.js';
import { renderRounds } from './page-rounds.js';
import type { BenchmarkResult, SectionName } from './result.js';
import { targetsOf } from './targets.js';

/** `chart`: the name of its file, beside the page; null when there is none. */
export function renderPage(result: BenchmarkResult, chart: string | null): string {
  const { sections, missing } = result;
  /** The text of a section that was measured, or that it was not. */
  const section = <Name extends SectionName>(
    name: Name,
    title: string,
    render: (figures: NonNullable<BenchmarkResult['sections'][Name]>) => string,
  ): string => {
    const figures = sections[name];
    return figures === undefined
      ? `## ${title}\n\nNot measured: ${missing[name] ?? 'this run has not come so far'}.`
      : `## ${title}\n\n${render(figures)}`;
  };
  const parts = [
    '# What recording costs',
    INTRODUCTION,
    describeRun(result),
    '## Asked, measured, reached?',
    renderTargets(result),
    ...[renderHowClose(sections.rounds?.measurements ?? [])].filter((text) => text !== null),
    ...(chart === null ? [] : [`![The same figures as bars and lines](${chart})`]),
    section('rounds', 'Through each proxy', renderRounds),
    section('hot-path', 'The hot path alone', renderHotPath),
    section('scale', 'Analysis at scale', renderScale),
    section('flood', 'Full load (P=16)', renderEndurance),
    section('soak', 'Memory over time (P=1)', renderEndurance),
    section('idle', 'Idle connections', renderIdle),
    section('slow-disk', 'A disk slower than the traffic', renderSlowDisk),
  ];
  return `${parts.join('\n\n')}\n`;
}

const INTRODUCTION = `Written by \`make bench\`, and to be compared with a run on your own machine only. \
Load generator, proxy and Redis share the machine, so a proxy also takes CPU time from the other two.

Each value is the median over the rounds, with the smallest and the largest in brackets: that is the noise of the machine. A ratio is taken \
within each round, between measurements that are seconds apart, and then the median of these. Where the brackets are wide, \
the machine had other things to do.`;

function describeRun({ machine, date, sections }: BenchmarkResult): string {
  const { rounds } = sections;
  return (
    describeMachine(machine, date) +
    (rounds === undefined
      ? ''
      : ` ${rounds.rounds} rounds of the workloads with a target, ${rounds.unjudgedRounds} of the others; ` +
        `${rounds.requests.toLocaleString('en-US')} requests of \`SET\` with 50 connections, and of the others what takes about as long.`)
  );
}

function describeMachine(
  { cpu, cores, memoryBytes, kernel, loadBefore, versions }: Machine,
  date: string,
): string {
  const { gaptrace, node, redis, haproxy, nutcracker } = versions;
  return (
    `${date.slice(0, 10)}, ${cpu}, ${cores} cores, ${(memoryBytes / 2 ** 30).toFixed(0)} GiB, ${kernel}; ` +
    `load average in the minute before: ${loadBefore.toFixed(1)}. ` +
    `gaptrace ${gaptrace}, Node ${node}, Redis ${redis}, HAProxy ${haproxy}, nutcracker ${nutcracker}.`
  );
}

function renderTargets(result: BenchmarkResult): string {
  const reached = (is: boolean | null): string => (is === null ? '–' : is ? 'yes' : '**no**');
  return table(
    ['', 'asked', 'measured', 'reached?'],
    targetsOf(result).map(({ what, asked, measured, reached: is }) => [what, asked, measured, reached(is)]),
    4,
  );
}
