/** `gaptrace client` and `gaptrace swarm`: flags into options, and what a person sees. The only file here that knows commander. */
import { type Command, Option } from 'commander';
import { formatDuration, parseDuration } from '../terminal/duration.js';
import { GaptraceError } from '../terminal/errors.js';
import { argument } from '../terminal/program.js';
import { ProgressLine } from '../terminal/progress.js';
import { printable } from './chat-message.js';
import { appendLines, eventLine, writeLines } from './client-log.js';
import { gapReportLine } from './gap-report.js';
import type { Room } from './schedule.js';
import { runSwarm, SWARM_DEFAULTS, type SwarmSummary } from './swarm.js';
import { describeGap, progressLine, summaryJson, summaryText } from './swarm-report.js';
import { PATIENCE_US, runTester, type TesterSummary } from './tester.js';

const URL = 'ws://127.0.0.1:8000';
const RATE = 10;
const GAP_STATUS = 1;
const SIGNAL_STATUS = { SIGINT: 130, SIGTERM: 143 } as const;

interface ClientFlags {
  readonly url: string;
  readonly rate: number;
  readonly patience: number;
  readonly gaps?: string;
  readonly keepGoing?: true;
}

export function registerClient(program: Command): void {
  program
    .command('client')
    .summary('join a room as one tester, and say when a message is missing')
    .description(
      'Joins a room, sends {"my_id": <uuid>, "count": n} ten times a second, prints what the others send, and watches ' +
        'their counts. Ends at the first gap.',
    )
    .argument('<room>', 'the room to join')
    .option('--url <url>', 'the chat server', URL)
    .option('--rate <n>', 'messages a second; 0 only listens', argument(parseRate), RATE)
    .option('--gaps <file>', 'append a gap report (NDJSON) for each gap: for analyze-gap --gaps')
    .option('--keep-going', 'go on after a gap, until the end comes otherwise')
    .addOption(patience())
    .addHelpText(
      'after',
      `
A count that comes late is not lost: a gap counts when it has been open for
--patience.

Exit status: 1 a message was dropped; 2 usage, or the server cannot be reached or
closed the connection; 130 or 143 on SIGINT or SIGTERM, when nothing was dropped.
It does not end by itself otherwise.

Examples:
  gaptrace client room_a --url ws://127.0.0.1:8000
  gaptrace client room_a --keep-going --gaps gaps.ndjson`,
    )
    .action(runClient);
}

async function runClient(room: string, flags: ClientFlags): Promise<void> {
  const { url, rate, patience: patienceUs, keepGoing = false } = flags;
  const report = flags.gaps === undefined ? () => {} : appendLines(flags.gaps);
  const signals = firstSignal();
  const summary = await runTester({
    ...{ url, room, rate, patienceUs, keepGoing, signal: signals.aborted },
    onJoined: (client) => process.stderr.write(`joined ${client.address} as ${client.id}\n`),
    onMessage: (message, text) => {
      if (message.kind === 'unknown') process.stderr.write(`not understood: ${message.problem}\n`);
      process.stdout.write(`${printable(text)}\n`);
    },
    onGap: (gap) => {
      report(gapReportLine(gap));
      process.stdout.write('ERROR: SERVER DROPPED A MESSAGE!\n');
      process.stderr.write(`${describeGap(gap)}\n`);
    },
  });
  process.stderr.write(`${testerLine(summary)}\n`);
  if (summary.failure !== undefined) throw summary.failure;
  process.exitCode = summary.ended === 'gap' || summary.lost.length > 0 ? GAP_STATUS : signals.status();
}

function testerLine({ sent, received, lost, duplicates, reorderings, undecided }: TesterSummary): string {
  const late = undecided.length === 0 ? '' : `, ${undecided.length} gaps too young to call`;
  return (
    `sent ${sent}, received ${received}, gaps ${lost.length}, ` +
    `duplicates ${duplicates}, reorderings ${reorderings}${late}`
  );
}

interface SwarmFlags {
  readonly url: string;
  readonly room?: readonly Room[];
  readonly churn: number;
  readonly lifetime: number;
  readonly rate: number;
  readonly for?: number;
  readonly untilGap?: true;
  readonly seed?: number;
  readonly log?: string;
  readonly patience: number;
  readonly format: 'text' | 'json';
  readonly json?: true;
}

export function registerSwarm(program: Command): void {
  program
    .command('swarm')
    .summary('fill rooms with testers and with clients that come and go')
    .description(
      'The recipe that makes a server drop messages, in one command: clients that stay and watch for gaps, and in each ' +
        'room churners: one client after another that connects, sends and leaves. Without options: the seven clients ' +
        'of django/channels#1683, until SIGINT.',
    )
    .option('--url <url>', 'the chat server', URL)
    .addOption(
      new Option(
        '--room <name=n>',
        'a room and how many stay in it; repeatable (default: room_a=2 room_b=3)',
      ).argParser(addRoom),
    )
    .option('--churn <n>', 'churners in each room', argument(parseWhole(0, 10_000)), SWARM_DEFAULTS.churn)
    .addOption(
      new Option('--lifetime <time>', 'how long a churner stays: from half to one and a half of this')
        .argParser(argument(parseTime))
        .default(SWARM_DEFAULTS.lifetimeUs, '1s'),
    )
    .option('--rate <n>', 'messages a second of each client', argument(parseRateOfSwarm), SWARM_DEFAULTS.rate)
    .option('--for <time>', 'how long to go on: 30s, 5m', argument(parseTime))
    .option('--until-gap', 'end at the first gap')
    .option(
      '--seed <n>',
      'same seed, same joins, leaves and times of messages',
      argument(parseWhole(0, 2 ** 32 - 1)),
    )
    .option(
      '--log <file>',
      'write everything that happens (NDJSON; replaces the file): for analyze-gap --gaps',
    )
    .addOption(patience())
    .addOption(
      new Option('--format <format>', 'how to print the summary').choices(['text', 'json']).default('text'),
    )
    .option('--json', 'short for --format json')
    .addHelpText(
      'after',
      `
What churners receive is not judged. A count that comes late is not lost: a gap
counts when it has been open for --patience. At the end all fall silent, and the
clients that stay listen until the rest has come. The first SIGINT or SIGTERM
ends it in this way, a second one at once.

Exit status: 0 no gap; 1 a gap; 2 usage, or the server cannot be reached or
closed the connection of a client that stays; 130 or 143 on SIGINT or SIGTERM.

Examples:
  gaptrace swarm --for 5m --until-gap --log clients.ndjson
  gaptrace swarm --room lobby=4 --churn 2 --lifetime 500ms --seed 7 --for 30s --json`,
    )
    .action(runSwarmCommand);
}

async function runSwarmCommand(flags: SwarmFlags): Promise<void> {
  const signals = firstSignal();
  const logFailed = new AbortController();
  const log = flags.log === undefined ? undefined : await writeLines(flags.log, () => logFailed.abort());
  const progress = new ProgressLine();
  let summary: SwarmSummary;
  try {
    summary = await runSwarm({
      url: flags.url,
      rooms: flags.room ?? SWARM_DEFAULTS.rooms,
      churn: flags.churn,
      lifetimeUs: flags.lifetime,
      rate: flags.rate,
      patienceUs: flags.patience,
      untilGap: flags.untilGap ?? false,
      signal: AbortSignal.any([signals.aborted, logFailed.signal]),
      ...(flags.for === undefined ? {} : { forUs: flags.for }),
      ...(flags.seed === undefined ? {} : { seed: flags.seed }),
      ...(log === undefined ? {} : { onEvent: (event) => log.line(eventLine(event)) }),
      onProgress: (now) => progress.update(() => progressLine(now)),
    });
  } finally {
    progress.clear();
  }
  const format = flags.json ? 'json' : flags.format;
  process.stdout.write(
    format === 'json' ? `${JSON.stringify(summaryJson(summary), null, 2)}\n` : summaryText(summary),
  );
  await log?.close();
  if (summary.failure !== undefined) throw summary.failure;
  process.exitCode = signals.status() || (summary.gaps.length > 0 ? GAP_STATUS : 0);
}

function patience(): Option {
  return new Option('--patience <time>', 'how long a count may be late before it is missing')
    .argParser(argument(parseDuration))
    .default(PATIENCE_US, formatDuration(PATIENCE_US));
}

function parseRate(text: string): number {
  const rate = Number(text);
  if (text.trim() === '' || !(rate >= 0 && rate <= 10_000)) throw new RangeError('a number from 0 to 10000');
  return rate;
}

export function parseRateOfSwarm(text: string): number {
  const rate = parseRate(text);
  if (rate === 0) throw new RangeError('more than 0: a silent swarm cannot miss anything');
  return rate;
}

function parseWhole(from: number, to: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= from && value <= to)) throw new RangeError(`a whole number from ${from} to ${to}`);
    return value;
  };
}

/** Timers count in 32 bits of milliseconds: about 24 days. */
const LONGEST_US = 240 * 3_600_000_000;

function parseTime(text: string): number {
  const us = parseDuration(text);
  if (us === 0 || us > LONGEST_US) throw new RangeError('more than 0, and 240h at most');
  return us;
}

/** `room_a=2`, as often as there are rooms. */
function addRoom(text: string, rooms: readonly Room[] = []): Room[] {
  const [, room = '', count = ''] = /^(.+)=(\d+)$/s.exec(text) ?? [];
  const clients = Number(count);
  if (room === '' || clients < 1 || clients > 10_000)
    throw new GaptraceError(
      'GAPTRACE_USAGE',
      `--room ${printable(text)}: give a name and how many clients stay in it (1 to 10000), such as room_a=2`,
    );
  if (rooms.some((other) => other.room === room))
    throw new GaptraceError('GAPTRACE_USAGE', `--room ${printable(room)} is there twice`);
  return [...rooms, { room, clients }];
}

/** Aborted at the first SIGINT or SIGTERM; from then on a further one ends the process. */
function firstSignal(): { readonly aborted: AbortSignal; status(): number } {
  const controller = new AbortController();
  let status = 0;
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => {
      if (controller.signal.aborted) process.exit(SIGNAL_STATUS[signal]);
      status = SIGNAL_STATUS[signal];
      controller.abort();
    });
  return { aborted: controller.signal, status: () => status };
}
