/** `gaptrace demo` and `gaptrace compare` on the command line. */
import { type Command, Option } from 'commander';
import { parseRateOfSwarm } from '../clients/command.js';
import { SWARM_DEFAULTS } from '../clients/swarm.js';
import { progressLine } from '../clients/swarm-report.js';
import { parseDuration } from '../terminal/duration.js';
import { GaptraceError } from '../terminal/errors.js';
import { argument } from '../terminal/program.js';
import { ProgressLine } from '../terminal/progress.js';
import { CONTENDERS, type Compared, compare, compareTable } from './compare.js';
import { runLiveDemo } from './live.js';

interface DemoOptions {
  readonly server: 'gaptrace' | 'django';
  readonly trace: string;
  readonly latency: number;
  readonly for: number;
  readonly seed?: number;
}

export function registerDemo(program: Command): void {
  program
    .command('demo')
    .description(
      'lose a message for real, and explain it: Redis, proxy, chat server and clients until the first gap',
    )
    .addOption(
      new Option('--server <name>', 'which chat server').choices(['gaptrace', 'django']).default('gaptrace'),
    )
    .option('--trace <path>', 'the trace to leave behind; an old one is replaced', './gaptrace-demo.db')
    .option('--latency <time>', 'added each way, to widen the race', argument(parseDuration), 2_000)
    .option('--for <time>', 'give up after so long without a gap', argument(parseDuration), 50_000_000)
    .option('--seed <n>', 'the same seed, the same comings and goings', argument(Number))
    .addHelpText(
      'after',
      `
Needs redis-server, and for --server django Debian's python3-channels-redis, python3-django-channels and python3-daphne.
Exit status: 0 a gap was found and explained; 2 something that it needs is missing; 3 no gap in that time.

Example:
  gaptrace demo --server django`,
    )
    .action(demo);
}

async function demo(options: DemoOptions): Promise<void> {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort());
  const result = await runLiveDemo({
    server: options.server,
    trace: options.trace,
    latencyUs: options.latency,
    forUs: options.for,
    ...(options.seed === undefined ? {} : { seed: options.seed }),
    signal: stop.signal,
    say: (text) => process.stderr.write(`${text}\n`),
  });
  const { summary, story, trace, log, lost } = result;
  if (stop.signal.aborted) {
    process.exitCode = 130;
    return;
  }
  if (summary.failure) throw summary.failure;
  if (lost === 0 && summary.gaps.length === 0) {
    process.stderr.write(
      `No client missed a message in ${options.for / 1e6} s. Try again, or with more --latency.\n`,
    );
    process.exitCode = 3;
  }
  process.stdout.write(`\n${story}\n`);
  process.stdout.write(`The trace is ${trace}, the clients' log ${log}. To go on:
  gaptrace query ${trace} --command BZPOPMIN --limit 20
  gaptrace query ${trace} connections
  gaptrace audit ${trace}
  gaptrace query ${trace} --sql 'SELECT command, count(*) FROM operations GROUP BY 1 ORDER BY 2 DESC'
  gaptrace analyze-gap ${trace} --gaps ${log} --json
`);
}

interface CompareCommandOptions {
  readonly for: number;
  readonly rate: number;
  readonly seed: number;
  readonly latency: number;
  readonly only?: string;
  readonly json?: true;
}

export function registerCompare(program: Command): void {
  program
    .command('compare')
    .description(
      'the same seeded swarm over one channel layer after another, with and without churn: who loses messages',
    )
    .option('--for <time>', 'how long each swarm goes on', argument(parseDuration), 30_000_000)
    .option('--rate <n>', 'messages a second of each client', argument(parseRateOfSwarm), SWARM_DEFAULTS.rate)
    .option('--seed <n>', 'the same seed, the same comings and goings', argument(Number), 1)
    .option(
      '--latency <time>',
      'added each way where the proxy stands between layer and Redis',
      argument(parseDuration),
      0,
    )
    .option('--only <text>', 'only layers with this in their name')
    .option('--json', 'the whole summaries, as JSON')
    .addHelpText(
      'after',
      `
Needs redis-server, and for Django Debian's python3-channels-redis, python3-django-channels and python3-daphne.
What is lost is what the clients counted. "direct": no proxy and no added latency between the layer and Redis.

Example:
  gaptrace compare --for 1m --only reliable`,
    )
    .action(runCompare);
}

async function runCompare(options: CompareCommandOptions): Promise<void> {
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort());
  const { only = '', latency } = options;
  const contenders = CONTENDERS.filter(({ name }) => name.toLowerCase().includes(only.toLowerCase()));
  if (contenders.length === 0)
    throw new GaptraceError(
      'GAPTRACE_USAGE',
      `no layer has '${only}' in its name; there are: ${[...new Set(CONTENDERS.map(({ name }) => name))].join('; ')}`,
    );
  const line = new ProgressLine();
  const results: Compared[] = [];
  const runs = compare({
    contenders,
    forUs: options.for,
    rate: options.rate,
    seed: options.seed,
    latencyUs: latency,
    signal: stop.signal,
    onProgress: ({ name, way }, progress) =>
      line.update(
        () => `${results.length + 1}/${contenders.length} ${name} (${way}): ${progressLine(progress)}`,
      ),
  });
  for await (const result of runs) results.push(result);
  line.clear();
  const rows = results.map(({ contender, summary }) => ({ ...contender, summary }));
  process.stdout.write(
    options.json ? `${JSON.stringify(rows, null, 2)}\n` : `${compareTable(results, latency)}\n`,
  );
  if (stop.signal.aborted) process.exitCode = 130;
}
