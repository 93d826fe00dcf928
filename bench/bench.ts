/**
 * What recording costs: the same load straight to Redis, through HAProxy, through a bare pipe and through gaptrace, in
 * interleaved rounds of one run, so that what else the machine does hits all alike. It measures and judges nothing: no
 * number makes it fail. `make bench` does the set-up and runs it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { messageOf } from '../terminal/errors.js';
import { USAGE_STATUS } from '../terminal/program.js';
import { CHUNK_BYTES, type HotPathFigures, measureHotPath } from './hot-path.js';
import { describeMachine } from './machine.js';
import { renderHotPath, renderPage } from './page.js';
import { PEERS } from './peers.js';
import type { BenchmarkResult } from './result.js';
import { type Measurement, runRounds } from './rounds.js';
import { ServerProcess } from './server-process.js';
import { WORKLOADS } from './workloads.js';

interface Flags {
  readonly rounds: number;
  readonly requests: number;
  readonly json?: true;
  readonly write?: string;
  readonly hotPath?: true;
}

const program = new Command('bench')
  .description(
    'Measures what recording costs: direct, HAProxy, a bare Node pipe and gaptrace, interleaved. Takes 2 to 3 minutes.',
  )
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : USAGE_STATUS))
  .option('--rounds <n>', 'how often each is measured', positiveInteger, 5)
  .option('--requests <n>', 'requests of the first workload; the others follow', positiveInteger, 60_000)
  .option('--json', 'print every measurement as JSON instead of the page')
  .option('--write <page>', 'also write the page to this file')
  .addOption(
    new Option('--hot-path', 'only what recording a chunk costs on the forwarding thread; seconds').conflicts(
      'write',
    ),
  )
  .addHelpText('after', '\nExample:\n  node dist/bench/bench.js --rounds 3 --write docs/benchmarks.md')
  .action(async (flags: Flags) => {
    if (flags.hotPath) await benchHotPath(flags);
    else await bench(flags);
  });

async function bench({ rounds, requests, json, write }: Flags): Promise<void> {
  const machine = await describeMachine();
  const result: BenchmarkResult = {
    schema: 1,
    date: new Date().toISOString(),
    machine,
    rounds,
    requests,
    measurements: await measureAll(rounds, requests),
    hotPath: await hotPath(),
  };
  const page = renderPage(result);
  process.stdout.write(json ? `${JSON.stringify(result, null, 1)}\n` : page);
  if (write !== undefined) await writeFile(write, page);
}

async function measureAll(rounds: number, requests: number): Promise<readonly Measurement[]> {
  const directory = mkdtempSync(join(tmpdir(), 'gaptrace-bench-'));
  const removeDirectory = (): void => rmSync(directory, { recursive: true, force: true });
  process.once('exit', removeDirectory);
  const redis = await ServerProcess.start({
    name: 'redis-server',
    command: 'redis-server',
    args: (port) => [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', directory],
      ...['--save', '', '--appendonly', 'no'],
    ],
  });
  const measurements = await runRounds({
    peers: PEERS,
    workloads: WORKLOADS,
    rounds,
    requests,
    redisPort: redis.port,
    directory,
    begins: (round, workload, peer) => say(`round ${round} of ${rounds}, ${workload}: ${peer}`),
  });
  await redis.stop();
  return measurements;
}

async function benchHotPath({ json }: Flags): Promise<void> {
  const figures = await hotPath();
  process.stdout.write(json ? `${JSON.stringify(figures, null, 1)}\n` : `${renderHotPath(figures)}\n`);
}

async function hotPath(): Promise<readonly HotPathFigures[]> {
  const figures: HotPathFigures[] = [];
  for (const bytes of CHUNK_BYTES) {
    say(`hot path, chunks of ${bytes} bytes`);
    figures.push(await measureHotPath(bytes));
  }
  return figures;
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('give a whole number, 1 or more');
  return value;
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
