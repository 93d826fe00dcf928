/**
 * A loss made on purpose, for tests: a private Redis, the built proxy before it, real Python layers (channels_redis 4.0.0) that speak through the
 * proxy, and a client that does not. When the play is over, what the trace says of each message.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { analyze } from '../analysis/analyze.js';
import { Evidence } from '../analysis/evidence.js';
import type { Finding } from '../analysis/finding.js';
import { Judge } from '../analysis/judge.js';
import type { Judgement } from '../analysis/judgement.js';
import { openTrace } from '../proxy/trace/open.js';
import { startProxy } from './gaptrace.js';
import { type PythonLayer, type PythonLayerOptions, startPythonLayer } from './python-layer.js';
import { type PrivateRedis, startRedis } from './redis.js';

export interface Stage {
  readonly redis: PrivateRedis;
  /** Straight to Redis, past the proxy. */
  readonly direct: Redis;
  /** A client through the proxy, on a connection of its own. */
  client(): Redis;
  /** A process with the real layer, through the proxy. */
  python(options?: Partial<PythonLayerOptions>): Promise<PythonLayer>;
}

export interface Reproduced {
  /** The judgements on message `count` of sender `s`, by the channel that it was for. */
  of(count: number): Readonly<Record<string, Judgement>>;
  /** All that is lost or undecided. */
  readonly findings: readonly Finding[];
}

/** A message of sender `s`. */
export function counted(count: number) {
  return { type: 'chat_send', text_data: JSON.stringify({ my_id: 's', count }) };
}

/** Waits until Redis says so. */
export async function until(fact: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await fact())) {
    if (Date.now() > deadline) throw new Error(`waited for ${String(fact)}`);
    await sleep(5);
  }
}

/** The queue of a channel's process, in Redis. */
export function queueOf(channel: string): string {
  return `asgi${channel.slice(0, channel.indexOf('!') + 1)}`;
}

export async function reproduce(
  play: (stage: Stage) => Promise<void>,
  proxyFlags: readonly string[] = [],
): Promise<Reproduced> {
  const directory = mkdtempSync(join(tmpdir(), 'gaptrace-reproduce-'));
  const path = join(directory, 't.db');
  const redis = await startRedis();
  const proxy = await startProxy(redis.url, path, ...proxyFlags);
  const layers: PythonLayer[] = [];
  try {
    const direct = redis.client();
    await play({
      redis,
      direct,
      client: () => redis.client({ port: proxy.port }),
      async python(options = {}) {
        const layer = await startPythonLayer('core', { hosts: [proxy.url], ...options });
        layers.push(layer);
        return layer;
      },
    });
    await proxy.stop();
    return readBack(path);
  } finally {
    for (const layer of layers) await layer.close();
    await proxy.stop();
    await redis.stop();
    rmSync(directory, { recursive: true });
  }
}

function readBack(path: string): Reproduced {
  const trace = openTrace(path);
  try {
    const judged = new Judge(new Evidence(trace)).all();
    const { findings } = analyze(trace, { ask: 'losses' });
    return {
      findings,
      of: (count) =>
        Object.fromEntries(
          judged
            .filter(({ payload }) => payload.sender === 's' && payload.count === count)
            .map((judgement) => [judgement.payload.recipients?.join() ?? '', judgement]),
        ),
    };
  } finally {
    trace.close();
  }
}
