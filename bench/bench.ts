/**
 * What recording costs: the same load straight to Redis, through other proxies, through a bare pipe and through gaptrace, in
 * interleaved rounds of one run, so that what else the machine does hits all alike; then what does not come in rounds (sections.ts).
 * It measures and judges nothing but by the table of targets: no number makes it fail. `make bench` does the set-up and runs it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { parseDuration } from '../terminal/duration.js';
import { messageOf } from '../terminal/errors.js';
import { parseAmount } from '../terminal/number.js';
import { argument, USAGE_STATUS } from '../terminal/program.js';
import { renderChart } from './chart.js';
import { describeMachine } from './machine.js';
import { renderPage } from './page.js';
import type { BenchmarkResult, SectionFigures, SectionName } from './result.js';
import { type Extent, SECTION_NAMES, SECTIONS, type Surroundings } from './sections.js';

interface Flags {
  readonly sections?: readonly SectionName[];
  readonly only?: RegExp;
  readonly quick?: true;
  readonly rounds?: number;
  readonly gridRounds?: number;
  readonly requests?: number;
  readonly scale?: readonly number[];
  readonly flood?: number;
  /** Microseconds. */
  readonly soak?: number;
  readonly idle?: number;
  readonly json?: true;
  readonly write?: string;
}

const WHOLE: Extent = {
  rounds: 5,
  unjudgedRounds: 2,
  requests: 60_000,
  only: /(?:)/,
  scale: [1_000_000, 3_000_000, 10_000_000],
  floodOperations: 20_000_000,
  soakSeconds: 600,
  idleConnections: 10_000,
  settleMs: 3_000,
  slowDiskRequests: 2_500_000,
};

const QUICK: Extent = {
  ...WHOLE,
  rounds: 1,
  unjudgedRounds: 1,
  requests: 10_000,
  scale: [10_000, 30_000, 100_000],
  floodOperations: 500_000,
  soakSeconds: 10,
  idleConnections: 500,
  settleMs: 200,
  slowDiskRequests: 2_000_000,
};

const amount = argument(parseAmount);

const program = new Command('bench')
  .description(
    'Measures what recording and analysis cost, beside direct, HAProxy, nutcracker, a bare Node pipe and Redis under MONITOR. ' +
      'The whole takes most of an hour, of which the soak is 10 minutes, and some 10 GB of temporary files.',
  )
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : USAGE_STATUS))
  .option('--sections <names>', `only these of ${SECTION_NAMES.join(',')} (default: all)`, sectionNames)
  .option('--only <pattern>', 'in the rounds, only workloads whose name matches', pattern)
  .option('--quick', 'the least of everything, in minutes: does it run? The figures say little')
  .option(
    '--rounds <n>',
    `how often each workload with a target is measured (default: ${WHOLE.rounds})`,
    amount,
  )
  .option('--grid-rounds <n>', `and how often the others (default: ${WHOLE.unjudgedRounds})`, amount)
  .option(
    '--requests <n>',
    `requests of SET with 50 connections; the others follow (default: ${WHOLE.requests / 1000}k)`,
    amount,
  )
  .option('--scale <sizes>', 'operations of the traces to analyse (default: 1M,3M,10M)', argument(amounts))
  .option('--flood <n>', 'operations at full load (default: 20M)', amount)
  .option('--soak <time>', 'how long memory is watched (default: 10m)', argument(parseDuration))
  .option('--idle <n>', 'idle connections (default: 10k)', amount)
  .option('--json', 'print every measurement as JSON instead of the page')
  .option('--write <page>', 'also write the page to this file, and its chart beside it as .svg')
  .addHelpText(
    'after',
    '\nExamples:\n  node dist/bench/bench.js --write docs/benchmarks.md' +
      "\n  node dist/bench/bench.js --sections rounds --only 'SET 3 B, P=1' --rounds 3",
  )
  .action(bench);

async function bench(flags: Flags): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'gaptrace-bench-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  const chartPath = flags.write?.replace(/(\.md)?$/, '.svg');
  const chart = chartPath === undefined ? null : basename(chartPath);
  const base = { schema: 2, date: new Date().toISOString(), machine: await describeMachine() } as const;
  let sections: Partial<SectionFigures> = {};
  const asked = flags.sections ?? SECTION_NAMES;
  const missing: Partial<Record<SectionName, string>> = Object.fromEntries(
    SECTION_NAMES.filter((name) => !asked.includes(name)).map((name) => [name, 'not asked for in this run']),
  );
  let failed = false;
  const result = (): BenchmarkResult => ({ ...base, sections, missing });
  for (const name of SECTION_NAMES.filter((each) => asked.includes(each))) {
    try {
      sections = { ...sections, [name]: await SECTIONS[name](extentOf(flags), around(directory)) };
    } catch (error) {
      // What the others find is worth having.
      failed = true;
      missing[name] = `it failed: ${messageOf(error)}`;
      process.stderr.write(`bench: ${name}: ${messageOf(error)}\n`);
    }
    // Again after each: what was found is not lost when the run is ended early.
    if (flags.write !== undefined && chartPath !== undefined) {
      await writeFile(flags.write, renderPage(result(), chart));
      await writeFile(chartPath, renderChart(result()));
    }
  }
  process.stdout.write(flags.json ? `${JSON.stringify(result(), null, 1)}\n` : renderPage(result(), chart));
  if (failed) process.exitCode = 1;
}

function extentOf(flags: Flags): Extent {
  const extent = flags.quick ? QUICK : WHOLE;
  return {
    ...extent,
    rounds: flags.rounds ?? extent.rounds,
    unjudgedRounds: flags.gridRounds ?? extent.unjudgedRounds,
    requests: flags.requests ?? extent.requests,
    only: flags.only ?? extent.only,
    scale: flags.scale ?? extent.scale,
    floodOperations: flags.flood ?? extent.floodOperations,
    soakSeconds: flags.soak === undefined ? extent.soakSeconds : flags.soak / 1e6,
    idleConnections: flags.idle ?? extent.idleConnections,
  };
}

function around(directory: string): Surroundings {
  return { directory, say: (text) => process.stderr.write(`${text}\n`) };
}

/** `1M,3M,10M`. */
function amounts(text: string): readonly number[] {
  return text.split(',').map(parseAmount);
}

function pattern(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error));
  }
}

function sectionNames(text: string): readonly SectionName[] {
  return text.split(',').map((name) => {
    const known = SECTION_NAMES.find((each) => each === name);
    if (known === undefined) throw new InvalidArgumentError(`there is no section '${name}'`);
    return known;
  });
}

// The servers and the files go with the process (see the listeners on 'exit').
for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  process.once(signal, () => process.exit(status));
try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`bench: ${messageOf(error)}\n`);
  process.exit(1);
}
