/**
 * `gaptrace proxy`: flags into options, then listener, recorder and observer started in an order in which nothing half-made is
 * left behind, and stopped in the reverse one.
 */
import { existsSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { formatDuration, parseDuration } from '../terminal/duration.js';
import type { GaptraceError } from '../terminal/errors.js';
import { createLog, type Log } from '../terminal/log.js';
import { argument } from '../terminal/program.js';
import { formatSize, parseSize } from '../terminal/size.js';
import { VERSION } from '../terminal/version.js';
import type { Traffic } from './backpressure.js';
import type { Latency } from './latency.js';
import { Listener, parseListen } from './listener.js';
import { Observer } from './observer.js';
import { Recorder, type RecordingSummary } from './recorder.js';
import { moveAside } from './trace/move-aside.js';
import type { Retain } from './trace/retention.js';
import { Upstream } from './upstream.js';
import { limitYoungGeneration } from './young-generation.js';

interface ProxyFlags {
  readonly listen: string;
  readonly upstream: string;
  readonly trace: string;
  /** Microseconds. */
  readonly latency: number;
  readonly jitter: number;
  /** Bytes. */
  readonly memoryLimit: number;
  readonly onOverload: 'drop' | 'pause';
  readonly retain?: Retain;
  /** Bytes a second. */
  readonly slowDisk?: number;
}

const RECORDING_FAILED_STATUS = 1;
const SIGNAL_STATUS = { SIGINT: 130, SIGTERM: 143 } as const;

export function registerProxy(program: Command): void {
  program
    .command('proxy')
    .summary('stand between clients and Redis, and record every operation')
    .description(
      'Forwards connections to Redis, bytes unchanged, and records every operation into a trace.\n' +
        'Prints the address it listens on as the only line on standard output.',
    )
    .option('--listen <address>', 'where clients connect; port 0 picks a free one', '127.0.0.1:6380')
    .addOption(
      new Option(
        '--upstream <url>',
        'the Redis behind it: redis://, rediss:// (TLS) or unix:/path; give a password by the environment',
      )
        .env('REDIS_URL')
        .default('redis://127.0.0.1:6379'),
    )
    .addOption(
      new Option('--trace <path>', 'the trace to write; a finished one that lies there is renamed first')
        .env('GAPTRACE_TRACE')
        .default('./gaptrace.db'),
    )
    .option(
      '--latency <time>',
      'delay each direction, order kept, to widen a race: 2ms',
      argument(parseDuration),
      0,
    )
    .option('--jitter <time>', 'vary that delay by up to so much, both ways: 1ms', argument(parseDuration), 0)
    .addOption(
      new Option('--memory-limit <size>', 'what may wait to be stored, before --on-overload takes effect')
        .argParser(argument(parseMemoryLimit))
        .default(64 * 1024 * 1024, '64MB'),
    )
    .addOption(
      new Option(
        '--on-overload <what>',
        'when that is used up: drop does not record what passes, and counts it; pause makes clients and Redis wait',
      )
        .choices(['drop', 'pause'])
        .default('drop'),
    )
    .option(
      '--retain <size or time>',
      'drop the oldest, so that the trace does not outgrow this (at least 1MB or 1s): 2GB, 24h; give it twice for both (default: everything is kept)',
      parseRetain,
    )
    // For benchmarks: stores no faster than so many bytes a second, as a disk would that is slower than the traffic.
    .addOption(new Option('--slow-disk <size>').argParser(argument(parseSize)).hideHelp())
    .addHelpText(
      'after',
      `
The first SIGINT or SIGTERM closes all connections, stores what is left and says
what was recorded; a second one ends at once. Exit status: 0; 1 when recording
failed on the way (traffic went on; without an end marker the trace says so too);
2 when it cannot start.

Environment: GAPTRACE_LOG_LEVEL (default: info), GAPTRACE_LOG_FORMAT=json,
NODE_EXTRA_CA_CERTS (a file with a CA of your own, for rediss://).

Examples:
  gaptrace proxy --upstream redis://127.0.0.1:6379 --trace gaptrace.db
  gaptrace proxy --listen 127.0.0.1:0 --upstream unix:/run/redis.sock --latency 2ms
  REDIS_URL=rediss://user:password@redis.example:6380 gaptrace proxy`,
    )
    .action(runProxy);
}

async function runProxy(flags: ProxyFlags): Promise<void> {
  const log = createLog();
  const signalled = firstSignal();
  const upstream = Upstream.parse(flags.upstream);
  const listener = await Listener.open(parseListen(flags.listen));
  const recorder = await startRecorder(flags, upstream, listener, log).catch(async (error: unknown) => {
    await listener.stop();
    throw error;
  });

  let failure: GaptraceError | undefined;
  recorder.onFailure((error) => {
    failure = error;
    log.error(
      `RECORDING HAS FAILED: ${error.message}; traffic goes on, unrecorded, until gaptrace is stopped`,
    );
  });
  // A bug of ours must not take the traffic down with it: it is logged, and the exit status remembers it.
  const broken = onceThrown(log);
  process.on('uncaughtException', (error) => broken.report(error));
  recorder.control(pausing(listener, log));
  listener.accept({
    upstream,
    recording: recorder,
    log,
    latency: latencyOf(flags),
    onRecordingThrew: broken.report,
  });
  process.stdout.write(`listening on ${listener.address}\n`);
  log.info(`recording to ${flags.trace}`);
  limitYoungGeneration();
  const observer = Observer.start({ upstream, log, note: (note) => recorder.note(recorder.nowUs(), note) });

  const signal = await signalled;
  log.info(
    `${signal}: closing ${listener.openConnections} connections and storing the rest; once more to end at once`,
  );
  await Promise.all([listener.stop(), observer.stop()]);
  const summary = await recorder.close();
  process.stderr.write(`${describeRecording(summary, flags.trace, failure)}\n`);
  // Not by waiting for what may still be open, such as the observer's connection to a Redis that hangs.
  process.exit(summary.completed && !broken.thrown ? 0 : RECORDING_FAILED_STATUS);
}

/** Moves aside the trace that is in the way, and creates the new one. */
async function startRecorder(
  flags: ProxyFlags,
  upstream: Upstream,
  listener: Listener,
  log: Log,
): Promise<Recorder> {
  if (existsSync(flags.trace)) log.info(`${flags.trace} was there: it is now ${moveAside(flags.trace)}`);
  return Recorder.create({
    path: flags.trace,
    memoryLimitBytes: flags.memoryLimit,
    onOverload: flags.onOverload,
    retain: flags.retain,
    faults: flags.slowDisk === undefined ? {} : { storeBytesPerSecond: flags.slowDisk },
    meta: {
      gaptrace_version: VERSION,
      upstream: upstream.describe(),
      listen: listener.address,
      latency_us: String(flags.latency),
      jitter_us: String(flags.jitter),
      on_overload: flags.onOverload,
      ...(flags.retain === undefined ? {} : { retain: describeRetain(flags.retain) }),
      node_version: process.version,
      started: new Date().toISOString(),
    },
  });
}

/** The last line: operations recorded, bytes not recorded, holes; or that there is no telling. */
export function describeRecording(summary: RecordingSummary, trace: string, failure?: GaptraceError): string {
  const { operations, bytesNotRecorded, holes, pauses, completed } = summary;
  const paused =
    pauses.count === 0
      ? ''
      : `, traffic paused: ${pauses.count} times, ${formatDuration(pauses.totalUs)} in all`;
  if (completed)
    return `gaptrace: operations recorded: ${operations}, bytes not recorded: ${bytesNotRecorded}, holes: ${holes}${paused} (${trace})`;
  return (
    `gaptrace: RECORDING FAILED: ${failure?.message ?? 'the trace could not be finished'}; ` +
    `bytes not recorded since then: ${bytesNotRecorded}${paused}; what came before is in ${trace}, which has no end marker`
  );
}

/** Pauses all traffic. Said once: how often it was, the last line says. */
function pausing(listener: Listener, log: Log): Traffic {
  let said = false;
  return {
    pause() {
      listener.pause();
      if (!said)
        log.warn(
          'the disk of the trace is slower than the traffic, which is paused meanwhile (--on-overload)',
        );
      said = true;
    },
    resume: () => listener.resume(),
  };
}

function latencyOf({ latency, jitter }: ProxyFlags): Latency | undefined {
  return latency === 0 && jitter === 0 ? undefined : { latencyUs: latency, jitterUs: jitter };
}

/** Of the memory limit and of a trace. */
const SMALLEST_SIZE = 1024 * 1024;

function parseMemoryLimit(text: string): number {
  return atLeast(parseSize(text), SMALLEST_SIZE);
}

function atLeast(bytes: number, smallest: number): number {
  if (bytes < smallest) throw new RangeError(`at least ${formatSize(smallest)}`);
  return bytes;
}

const SHORTEST_RETAINED_US = 1_000_000;

/** `2GB` or `24h`, beside what was given before. A size is told from a time by its `B`. */
function parseRetain(text: string, before: Retain = {}): Retain {
  return argument((given: string) => {
    if (/b$/i.test(given.trim())) return { ...before, bytes: atLeast(parseSize(given), SMALLEST_SIZE) };
    const us = parseDuration(given);
    if (us < SHORTEST_RETAINED_US) throw new RangeError(`at least ${formatDuration(SHORTEST_RETAINED_US)}`);
    return { ...before, us };
  })(text);
}

function describeRetain({ bytes, us }: Retain): string {
  return [
    ...(bytes === undefined ? [] : [formatSize(bytes).replace(' ', '')]),
    ...(us === undefined ? [] : [formatDuration(us)]),
  ].join(' ');
}

/** The stack of the first bug goes into the log: the same one may come back with every chunk. */
function onceThrown(log: Log): { thrown: boolean; report(error: unknown): void } {
  return {
    thrown: false,
    report(error) {
      if (!this.thrown)
        log.error(
          `a bug in gaptrace, traffic goes on: ${error instanceof Error ? error.stack : String(error)}`,
        );
      this.thrown = true;
    },
  };
}

/** Resolves at the first signal; from then on a further one ends the process. */
function firstSignal(): Promise<keyof typeof SIGNAL_STATUS> {
  let seen = false;
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.on(signal, () => {
        if (seen) process.exit(SIGNAL_STATUS[signal]);
        seen = true;
        resolve(signal);
      });
  });
}
