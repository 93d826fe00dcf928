/**
 * A trace of a chat that never was: processes on channels_redis, rooms, clients that come and go, and messages that are lost in known
 * ways, in simulated time. It is written through the code that live traffic goes through, and what became of each message is written beside
 * it. The same seed gives the same trace. What is held does not grow with the operations.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { randomStream } from '../clients/random.js';
import { type Filing, WholeTrace } from '../proxy/whole-trace.js';
import { Labels } from './labels.js';
import { Ledger } from './ledger.js';
import { Mishaps } from './mishaps.js';
import { Schedule } from './schedule.js';
import { Town } from './town.js';
import { Wire } from './wire.js';
import { STARTED_UNIX_US, type World } from './world.js';

export interface GenerateOptions {
  readonly trace: string;
  /** Where the labels go; null: nowhere. */
  readonly labels: string | null;
  /** About so many: what is under way then is ended. */
  readonly operations: number;
  readonly seed: number;
  readonly processes: number;
  readonly rooms: number;
  /** Of the messages in queues, so many meet with a mishap: from 0 to 1. */
  readonly losses: number;
  readonly filing: Filing;
  /** Goes into `meta`. */
  readonly meta?: Readonly<Record<string, string>>;
  readonly onProgress?: (operations: number) => void;
  /** Aborted: it stops, leaves nothing, and throws the signal's reason. */
  readonly signal?: AbortSignal;
  /** For tests: so many pages of SQLite are all the room there is. */
  readonly maxPages?: number;
}

/** The last line of the labels. */
export interface GenerateSummary {
  readonly operations: number;
  readonly connections: number;
  /** Each counted once in each queue. */
  readonly messages: number;
  readonly verdicts: Readonly<Record<string, number>>;
  readonly causes: Readonly<Record<string, number>>;
  readonly duration_us: number;
}

/** Events between two looks at the signal. */
const A_WHILE = 20_000;
/** What was begun is said by then. */
const LAST_WORDS_US = 1_000_000;
/** And polls that went on in nobody's place have timed out. */
const PATIENCE_US = 12_000_000;

/** @throws GaptraceError GAPTRACE_TRACE_EXISTS, GAPTRACE_TRACE_CREATE, GAPTRACE_DISK_FULL, GAPTRACE_TRACE_WRITE, GAPTRACE_LABELS; nothing is left behind. */
export async function generate(options: GenerateOptions): Promise<GenerateSummary> {
  const target = new WholeTrace(options.trace, 'generating');
  let labels: Labels | null = null;
  try {
    if (options.labels !== null) labels = new Labels(options.labels);
    const { filing, maxPages, seed } = options;
    const meta = { ...options.meta, source: 'generate', seed: String(seed), latency_us: '0' };
    target.create(STARTED_UNIX_US, meta, { filing, maxPages });
    const ledger = new Ledger(labels?.write ?? (() => {}));
    const summary = await live(options, target, ledger);
    target.finish(summary.duration_us);
    labels?.write({ schema: 1, event: 'summary', ...summary });
    target.putInPlace();
    labels?.putInPlace();
    return summary;
  } finally {
    target.discard();
    labels?.discard();
  }
}

async function live(options: GenerateOptions, target: WholeTrace, ledger: Ledger): Promise<GenerateSummary> {
  const { operations, seed, losses, onProgress, signal } = options;
  const schedule = new Schedule();
  const wire = new Wire(target.write, schedule);
  const mishaps = new Mishaps(losses);
  const random = randomStream(seed, 'generate');
  const world: World = { schedule, wire, random, ledger, onSend: mishaps, ending: false };
  const town = new Town(world, mishaps, options);
  let endingUs = Number.POSITIVE_INFINITY;
  const going = (): boolean => {
    if (!world.ending && wire.operations >= operations) {
      world.ending = true;
      endingUs = schedule.nowUs;
      mishaps.end(endingUs);
    }
    const sinceUs = schedule.nowUs - endingUs;
    return sinceUs < LAST_WORDS_US || (sinceUs < PATIENCE_US && !town.quiet);
  };
  for (let events = 1; going(); events++) {
    schedule.next();
    if (events % A_WHILE !== 0) continue;
    onProgress?.(wire.operations);
    await turn();
    signal?.throwIfAborted();
  }
  for (const { mailbox } of town.processes)
    for (const message of mailbox.queue.left)
      ledger.gone(message, mailbox.key, 'in-flight', null, schedule.nowUs);
  return {
    operations: wire.operations,
    connections: wire.connections,
    messages: ledger.messages,
    verdicts: ledger.verdicts,
    causes: ledger.causes,
    duration_us: schedule.nowUs,
  };
}
