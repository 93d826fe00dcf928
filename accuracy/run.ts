/**
 * `make accuracy`: how often is the analysis right? Every scenario, many seeds, real Redis, real proxy; each verdict against what the consumers
 * really processed. Exit status 1 when a bar is missed, with the scenario and the seed of each run that has a fault:
 *
 *   make accuracy RUNS=500 SEED=1              so many runs, over all scenarios in turn
 *   make accuracy ONLY=stray-pop SEED=7 KEEP=. one run, whose traces and truth stay in that directory
 */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedis } from '../demo/redis.js';
import { messageOf } from '../terminal/errors.js';
import { USAGE_STATUS } from '../terminal/program.js';
import { ProgressLine } from '../terminal/progress.js';
import { Confusion, faultsOf } from './confusion.js';
import { playRun } from './play.js';
import { SCENARIOS } from './scenarios/index.js';
import type { Scenario } from './scenarios/scenario.js';

/** Runs at the same time, each with a Redis of its own. */
const LANES = 2;

const { RUNS, SEED, ONLY, KEEP } = process.env;
const scenarios = ONLY ? SCENARIOS.filter(({ name }) => name === ONLY) : SCENARIOS;
if (scenarios.length === 0) {
  process.stderr.write(`no scenario ${ONLY}; there are ${SCENARIOS.map(({ name }) => name).join(', ')}\n`);
  process.exit(USAGE_STATUS);
}
const runs = Number(RUNS || (ONLY ? 1 : 500));
const firstSeed = Number(SEED || 1);
if (!Number.isInteger(runs) || runs < 1 || !Number.isInteger(firstSeed)) {
  process.stderr.write('RUNS and SEED are whole numbers\n');
  process.exit(USAGE_STATUS);
}

const confusion = new Confusion();
const progress = new ProgressLine();
const startedMs = Date.now();
let done = 0;
let faultyRuns = 0;
let next = 0;

await Promise.all(Array.from({ length: LANES }, lane));
report();

async function lane(): Promise<void> {
  const directory = KEEP || mkdtempSync(join(tmpdir(), 'gaptrace-accuracy-'));
  mkdirSync(directory, { recursive: true });
  const redis = await startRedis();
  try {
    while (next < runs) {
      const number = next++;
      const scenario = scenarios[number % scenarios.length] as Scenario;
      const seed = firstSeed + Math.floor(number / scenarios.length);
      await redis.client().flushall();
      await one(scenario, seed, directory, redis);
      done += 1;
      progress.update(() => `${done} of ${runs} runs, ${faultyRuns} with a fault: ${scenario.name}`);
    }
  } finally {
    await redis.stop();
    if (!KEEP) rmSync(directory, { recursive: true });
  }
}

async function one(
  scenario: Scenario,
  seed: number,
  directory: string,
  redis: Parameters<typeof playRun>[2],
): Promise<void> {
  let faults: readonly string[];
  try {
    const run = await playRun(scenario, seed, redis, { directory, keep: Boolean(KEEP) });
    confusion.add(run);
    faults = faultsOf(run);
  } catch (error) {
    faults = [`the run itself failed: ${messageOf(error)}`];
  }
  if (faults.length === 0) return;
  faultyRuns += 1;
  progress.clear();
  process.stderr.write(`ONLY=${scenario.name} SEED=${seed}\n${faults.map((one) => `  ${one}\n`).join('')}`);
}

function report(): void {
  progress.clear();
  process.stdout.write(`${confusion.matrix()}\n\n${confusion.rows()}\n\n${confusion.figures()}\n`);
  const missed = confusion.missedBars();
  process.stderr.write(
    `\n${done} runs of ${scenarios.length} scenarios in ${Math.round((Date.now() - startedMs) / 1000)} s, ${faultyRuns} with a fault\n`,
  );
  for (const bar of missed) process.stderr.write(`MISSED: ${bar}\n`);
  process.exitCode = missed.length > 0 || faultyRuns > 0 ? 1 : 0;
}
