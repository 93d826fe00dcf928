/**
 * Where one run plays: a real Redis (or several, as hosts of one layer), before each the real proxy in this process (so that truth and
 * trace have one clock), layers and raw connections that go through it, and the truth log. Ended by closing the proxies first: the
 * traces end while everybody is still there.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { randomStream } from '../clients/random.js';
import type { PrivateRedis } from '../demo/redis.js';
import { Listener } from '../proxy/listener.js';
import { Recorder } from '../proxy/recorder.js';
import { Upstream } from '../proxy/upstream.js';
import type { ReceiveStrategy, RedisOptions } from '../server/layers/layer.js';
import { PubSubLayer } from '../server/layers/pubsub.js';
import { RedisLayer } from '../server/layers/redis.js';
import { createLog } from '../terminal/log.js';
import { TruthLog } from './truth.js';
import { WireClient } from './wire-client.js';

/** A Redis, and where its trace goes. */
export interface StageHost {
  readonly redis: PrivateRedis;
  readonly trace: string;
}

export interface StageOptions {
  readonly seed: number;
  /** At least one; a layer has them all. */
  readonly hosts: readonly StageHost[];
  /** Added by the proxy each way. */
  readonly latencyUs: number;
}

export interface LayerChoice extends Omit<RedisOptions, 'hosts'> {
  readonly receive?: ReceiveStrategy;
}

/** The proxy before one Redis. */
interface Proxied {
  readonly redis: PrivateRedis;
  readonly url: string;
  readonly listener: Listener;
  readonly recorder: Recorder;
}

async function proxied({ redis, trace }: StageHost, latencyUs: number): Promise<Proxied> {
  const { run_id: runId = '' } = await redis.info('server');
  const recorder = await Recorder.create({
    path: trace,
    meta: { latency_us: String(latencyUs), upstream: redis.url, redis_run_id: runId },
  });
  const listener = await Listener.open({ host: '127.0.0.1', port: 0 });
  listener.accept({
    upstream: Upstream.parse(redis.url),
    recording: recorder,
    log: createLog(() => {}, {}),
    latency: latencyUs === 0 ? undefined : { latencyUs, jitterUs: latencyUs / 4 },
  });
  return { redis, listener, recorder, url: `redis://${listener.address}` };
}

export class Stage {
  readonly truth: TruthLog;
  /** The first, or only, Redis. */
  readonly redis: PrivateRedis;
  /** Where layers connect: the proxies, one before each Redis. */
  readonly urls: readonly string[];
  readonly #seed: number;
  readonly #proxied: readonly Proxied[];
  readonly #closing: (() => unknown)[] = [];
  readonly #failures: unknown[] = [];
  #direct: Redis | undefined;
  #ending = false;

  static async open({ seed, hosts, latencyUs }: StageOptions): Promise<Stage> {
    const opened: Proxied[] = [];
    for (const host of hosts) opened.push(await proxied(host, latencyUs));
    const [first] = opened;
    if (!first) throw new Error('a stage needs a Redis');
    return new Stage(seed, opened, first);
  }

  private constructor(seed: number, all: readonly Proxied[], first: Proxied) {
    this.#seed = seed;
    this.#proxied = all;
    this.redis = first.redis;
    this.urls = all.map(({ url }) => url);
    this.truth = new TruthLog(() => first.recorder.nowUs());
  }

  /** True once the run is over: what fails from now on fails because of that. */
  get ending(): boolean {
    return this.#ending;
  }

  /** Numbers of this run, one stream for each name. */
  random(name: string): () => number {
    return randomStream(this.#seed, name);
  }

  /** A process with our layer, behind the proxy. */
  layer(choice: LayerChoice = {}): RedisLayer {
    const layer = new RedisLayer({ capacity: 10_000, prefix: 'chat', ...choice, hosts: this.urls });
    this.#closing.push(() => layer.close());
    return layer;
  }

  /** A process with our pub/sub layer, behind the proxy. */
  pubsub(): PubSubLayer {
    const layer = new PubSubLayer({ capacity: 10_000, prefix: 'chat', hosts: this.urls });
    this.#closing.push(() => layer.close());
    return layer;
  }

  /** A raw connection, behind the first proxy. */
  async connect(): Promise<WireClient> {
    const wire = await WireClient.connect(Number(this.urls[0]?.split(':').at(-1)));
    this.#closing.push(() => wire.destroy());
    return wire;
  }

  /** Straight to Redis, past the proxy: what the trace does not see. */
  direct(): Redis {
    this.#direct ??= this.redis.client();
    return this.#direct;
  }

  /** To be ended with the run, after the trace. */
  atEnd(work: () => unknown): void {
    this.#closing.push(work);
  }

  /** Something that goes on beside the scenario. A failure before the run is over is the run's. */
  background(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (!this.#ending) this.#failures.push(error);
    });
  }

  sleep(ms: number): Promise<void> {
    return sleep(ms);
  }

  /** What the kernel has for this process by now has been read: a timer alone comes before that. */
  async settled(): Promise<void> {
    for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  async close(): Promise<void> {
    this.#ending = true;
    for (const { listener } of this.#proxied) await listener.stop();
    for (const { recorder } of this.#proxied) await recorder.close();
    for (const close of this.#closing) await close();
    this.#direct?.disconnect();
    if (this.#failures.length > 0) throw this.#failures[0];
  }
}
