/**
 * The comparison: the same seeded swarm over one channel layer after another, with and without clients that come and go. It
 * answers what the report of the bug observed: no churn, no loss; in memory, no loss; the groups of a process lose together.
 *
 * Losses are what the clients counted. The layers talk straight to Redis, with neither proxy nor added latency, so that nobody can
 * say that the proxy makes the bug; what changes with the proxy in between is a line of its own.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Room } from '../clients/schedule.js';
import { runSwarm, type SwarmProgress, type SwarmSummary } from '../clients/swarm.js';
import { startRedis } from './redis.js';
import { type ChatServerOptions, Stack, startChatServer, startProxy } from './stack.js';

/** One line of the comparison. */
export interface Contender {
  readonly name: string;
  readonly server: Omit<ChatServerOptions, 'redisUrl'>;
  /** Clients that come and go, in each room. */
  readonly churn: number;
  /** Through the proxy, straight to Redis, or without any Redis. */
  readonly way: 'proxy' | 'direct' | 'none';
  /** The rooms of the bug report, where not given. */
  readonly rooms?: readonly Room[];
}

export interface CompareOptions {
  readonly contenders: readonly Contender[];
  /** How long each swarm goes on, microseconds. */
  readonly forUs: number;
  /** Messages a second of each client. */
  readonly rate: number;
  readonly seed: number;
  readonly latencyUs: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (contender: Contender, progress: SwarmProgress) => void;
}

export interface Compared {
  readonly contender: Contender;
  readonly summary: SwarmSummary;
}

/** Two clients that talk to each other and nobody else. */
const PAIR: readonly Room[] = [{ room: 'room_a', clients: 2 }];
const OURS = { server: 'gaptrace' } as const;
const DJANGO = { server: 'django' } as const;
/** Twenty clients a second come and go in each room: enough for losses in half a minute without any help from the proxy. */
const CHURN = 4;
const LIFETIME_US = 200_000;

export const CONTENDERS: readonly Contender[] = [
  { name: 'Django, core layer', server: { ...DJANGO, layer: 'core' }, churn: CHURN, way: 'direct' },
  { name: 'Django, core layer', server: { ...DJANGO, layer: 'core' }, churn: CHURN, way: 'proxy' },
  { name: 'Django, core layer', server: { ...DJANGO, layer: 'core' }, churn: 0, way: 'direct' },
  {
    name: 'Django, core layer, two clients',
    server: { ...DJANGO, layer: 'core' },
    churn: 0,
    way: 'direct',
    rooms: PAIR,
  },
  { name: 'Django, pub/sub layer', server: { ...DJANGO, layer: 'pubsub' }, churn: CHURN, way: 'direct' },
  { name: 'Django, in-memory layer', server: { ...DJANGO, layer: 'memory' }, churn: CHURN, way: 'none' },
  { name: 'gaptrace, redis', server: { ...OURS, layer: 'redis' }, churn: CHURN, way: 'direct' },
  { name: 'gaptrace, redis', server: { ...OURS, layer: 'redis' }, churn: CHURN, way: 'proxy' },
  { name: 'gaptrace, redis', server: { ...OURS, layer: 'redis' }, churn: 0, way: 'direct' },
  {
    name: 'gaptrace, redis, reliable',
    server: { ...OURS, layer: 'redis', receive: 'reliable' },
    churn: CHURN,
    way: 'direct',
  },
  { name: 'gaptrace, pub/sub', server: { ...OURS, layer: 'pubsub' }, churn: CHURN, way: 'direct' },
  { name: 'gaptrace, in memory', server: { ...OURS, layer: 'memory' }, churn: CHURN, way: 'none' },
];

/** Yields each result as it comes. Throws GaptraceError GAPTRACE_DEMO where a program does not start. */
export async function* compare(options: CompareOptions): AsyncGenerator<Compared> {
  for (const contender of options.contenders) {
    if (options.signal.aborted) return;
    yield { contender, summary: await one(contender, options) };
  }
}

async function one(contender: Contender, options: CompareOptions): Promise<SwarmSummary> {
  const { forUs, rate, seed, latencyUs, signal, onProgress } = options;
  const directory = mkdtempSync(join(tmpdir(), 'gaptrace-compare-'));
  const stack = new Stack();
  try {
    const redis = await stack.start('redis-server (apt-get install redis-server)', startRedis());
    const proxied = contender.way === 'proxy';
    const redisUrl = proxied
      ? (await stack.start('gaptrace proxy', startProxy(redis.url, join(directory, 't.db'), latencyUs))).url
      : redis.url;
    const server = await stack.start(
      `the ${contender.server.server} chat server`,
      startChatServer({ ...contender.server, redisUrl }),
    );
    return await runSwarm({
      url: server.url,
      churn: contender.churn,
      lifetimeUs: LIFETIME_US,
      ...(contender.rooms ? { rooms: contender.rooms } : {}),
      forUs,
      rate,
      seed,
      signal,
      onProgress: (progress) => onProgress?.(contender, progress),
    });
  } finally {
    await stack.stop();
    rmSync(directory, { recursive: true });
  }
}

const COLUMNS = [
  'layer',
  'churn',
  'to Redis',
  'messages',
  'lost',
  'per 10,000',
  'recipients hit',
  'rooms hit',
] as const;

/** A Markdown table that is laid out for a terminal too. */
export function compareTable(results: readonly Compared[], latencyUs: number): string {
  const rows = results.map(({ contender, summary }) => cells(contender, summary, latencyUs));
  const widths = COLUMNS.map((column, i) =>
    Math.max(column.length, ...rows.map((row) => row[i]?.length ?? 0)),
  );
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => (i < 3 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`;
  const rule = `|${widths.map((width, i) => (i < 3 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`;
  return [line(COLUMNS), rule, ...rows.map(line)].join('\n');
}

function cells({ name, churn, way }: Contender, { total, rooms }: SwarmSummary, latencyUs: number): string[] {
  const ways = {
    proxy: latencyUs === 0 ? 'proxy' : `proxy, ${latencyUs / 1000} ms`,
    direct: 'direct',
    none: 'none',
  };
  return [
    name,
    churn === 0 ? 'no' : 'yes',
    ways[way],
    String(total.sent),
    String(total.lost),
    total.sent === 0 ? '-' : ((total.lost / total.sent) * 10_000).toFixed(1),
    String(total.hit),
    String(rooms.filter(({ lost }) => lost > 0).length),
  ];
}
