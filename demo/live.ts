/**
 * The live demo: a private Redis, gaptrace proxy before it, a chat server on a channel layer, a swarm of clients until one
 * of them misses a message; then analyze-gap on exactly that. Everything is real and runs in its own process, on free ports of
 * 127.0.0.1, and is ended by its own process id. What is left behind is the trace and the clients' log.
 */
import { existsSync, rmSync } from 'node:fs';
import { analyze } from '../analysis/analyze.js';
import { renderAnalysis } from '../analysis/render/text.js';
import { eventLine, writeLines } from '../clients/client-log.js';
import { readGapReports } from '../clients/gap-report.js';
import { runSwarm, type SwarmSummary } from '../clients/swarm.js';
import { progressLine } from '../clients/swarm-report.js';
import { openTrace } from '../proxy/trace/open.js';
import { formatDuration } from '../terminal/duration.js';
import { readLines } from '../terminal/lines.js';
import { ProgressLine } from '../terminal/progress.js';
import { startRedis } from './redis.js';
import { Stack, startChatServer, startProxy } from './stack.js';

export interface LiveDemoOptions {
  /** Which chat server: ours, or the Python original. */
  readonly server: 'gaptrace' | 'django';
  /** The trace to write; an old one is replaced. The clients' log lies beside it, as `<trace without .db>.clients.jsonl`. */
  readonly trace: string;
  /** Added each way, microseconds: it widens the race. */
  readonly latencyUs: number;
  /** Give up after so long without a gap, microseconds. */
  readonly forUs: number;
  readonly seed?: number;
  readonly signal: AbortSignal;
  /** What is being done now, for a person who waits. */
  readonly say: (text: string) => void;
}

export interface LiveDemoResult {
  readonly summary: SwarmSummary;
  /** What analyze-gap says of it. */
  readonly story: string;
  readonly trace: string;
  readonly log: string;
  /** Findings that are losses. */
  readonly lost: number;
}

/** Churning clients at once: enough disconnects for a gap within seconds. */
const CHURN = 2;

/** Throws GaptraceError GAPTRACE_DEMO where a program that it needs is not there or does not start. */
export async function runLiveDemo(options: LiveDemoOptions): Promise<LiveDemoResult> {
  const { trace, say } = options;
  const log = `${trace.replace(/\.db$/, '')}.clients.jsonl`;
  for (const old of [trace, `${trace}-wal`, `${trace}-shm`, log]) if (existsSync(old)) rmSync(old);
  const stack = new Stack();
  let summary: SwarmSummary;
  try {
    const redis = await stack.start('redis-server (apt-get install redis-server)', startRedis());
    say(`Redis on port ${redis.port}, for this demo alone`);
    const proxy = await stack.start('gaptrace proxy', startProxy(redis.url, trace, options.latencyUs));
    say(
      `gaptrace proxy before it, ${formatDuration(options.latencyUs)} added each way, recording to ${trace}`,
    );
    const django = options.server === 'django';
    const server = await stack.start(
      `the ${options.server} chat server`,
      startChatServer({ server: options.server, layer: django ? 'core' : 'redis', redisUrl: proxy.url }),
    );
    say(
      `${django ? 'Django Channels (daphne)' : 'gaptrace server'} at ${server.url}, its channel layer on the proxy`,
    );
    say('Five clients stay in two rooms and count, others come and go, until somebody misses a message');
    summary = await swarm(server.url, log, options);
  } finally {
    await stack.stop();
  }
  return { summary, trace, log, ...(await explained(trace, log)) };
}

async function swarm(url: string, log: string, options: LiveDemoOptions): Promise<SwarmSummary> {
  const file = await writeLines(log, () => {});
  const line = new ProgressLine();
  try {
    return await runSwarm({
      url,
      churn: CHURN,
      lifetimeUs: 500_000,
      untilGap: true,
      forUs: options.forUs,
      signal: options.signal,
      ...(options.seed === undefined ? {} : { seed: options.seed }),
      onEvent: (event) => file.line(eventLine(event)),
      onProgress: (progress) => line.update(() => progressLine(progress)),
    });
  } finally {
    line.clear();
    await file.close();
  }
}

async function explained(path: string, log: string): Promise<Pick<LiveDemoResult, 'story' | 'lost'>> {
  const trace = openTrace(path);
  try {
    const analysis = analyze(trace, { ask: 'gaps', log: await readGapReports(readLines(log), log) });
    return {
      story: renderAnalysis(analysis, process.stdout.isTTY && process.stdout.hasColors()),
      lost: analysis.summary.lost ?? 0,
    };
  } finally {
    trace.close();
  }
}
