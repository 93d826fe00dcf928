/** `gaptrace generate`: flags into options, and what a person sees while it runs and when it is done. */
import type { Command } from 'commander';
import { formatDuration } from '../terminal/duration.js';
import { unlessInterrupted } from '../terminal/interrupted.js';
import { count, parseAmount, wholeNumber } from '../terminal/number.js';
import { argument } from '../terminal/program.js';
import { ProgressLine } from '../terminal/progress.js';
import { VERSION } from '../terminal/version.js';
import { generate } from './generate.js';

interface Flags {
  readonly operations: number;
  readonly seed: number;
  readonly processes: number;
  readonly rooms?: number;
  readonly losses: number;
  readonly labels?: string;
  readonly unindexed?: true;
}

const MOST_PROCESSES = 1000;
const MOST_ROOMS = 100_000;
const HIGHEST_RATE = 0.1;
const ROOMS_A_PROCESS = 2;

export function registerGenerate(program: Command): void {
  program
    .command('generate')
    .summary('make a labelled trace of any size, for tests and benchmarks')
    .description(
      'Makes the trace of a chat that never was: processes on channels_redis, rooms, clients that come and go, and messages\n' +
        'that are lost in known ways. The same seed gives the same trace.',
    )
    .argument('<trace>', 'the trace to write; it must not exist')
    .requiredOption('--operations <number>', 'about so many, such as 50000 or 10M', argument(parseAmount))
    .option('--seed <number>', 'what chance begins with', argument(wholeNumber(0)), 1)
    .option('--processes <number>', 'of the application', argument(wholeNumber(1, MOST_PROCESSES)), 10)
    .option(
      '--rooms <number>',
      `each with 8 members or more in up to 4 processes (default: ${ROOMS_A_PROCESS} a process)`,
      argument(wholeNumber(1, MOST_ROOMS)),
    )
    .option(
      '--losses <share>',
      `of the messages in queues that are lost, refused, too old or late: 0 to ${HIGHEST_RATE}`,
      argument(rate),
      0.001,
    )
    .option(
      '--labels <file>',
      'write what became of each message that was not plainly delivered: NDJSON, sums in the last line; the file must not exist',
    )
    .option(
      '--unindexed',
      'leave the trace as a killed recorder does: the next that opens it makes the index',
    )
    .addHelpText(
      'after',
      '\nExample:\n  gaptrace generate big.db --operations 10M --labels big.labels.ndjson\n  gaptrace audit big.db',
    )
    .action(run);
}

async function run(trace: string, flags: Flags): Promise<void> {
  const { operations, seed, processes, losses, unindexed } = flags;
  const progress = new ProgressLine();
  const summary = await unlessInterrupted('no trace was written', async (signal) => {
    try {
      return await generate({
        ...{ trace, operations, seed, processes, losses, signal },
        labels: flags.labels ?? null,
        rooms: flags.rooms ?? processes * ROOMS_A_PROCESS,
        filing: unindexed ? 'spool' : 'index',
        meta: { gaptrace_version: VERSION },
        onProgress: (done) =>
          progress.update(() => `generating: ${done} operations, ${Math.floor((100 * done) / operations)} %`),
      });
    } finally {
      progress.clear();
    }
  });
  const { connections, messages, verdicts, duration_us } = summary;
  const otherwise = messages - (verdicts.delivered ?? 0);
  process.stdout.write(
    `${trace}: ${count(connections, 'connection')}, ${count(summary.operations, 'operation')}, ` +
      `${count(messages, 'message')} in queues, ${otherwise} of them not plainly delivered, ${formatDuration(duration_us)}\n`,
  );
}

function rate(text: string): number {
  const value = Number(text);
  if (/^\d*\.?\d+$/.test(text) && value <= HIGHEST_RATE) return value;
  throw new RangeError(`a number from 0 to ${HIGHEST_RATE}`);
}
