/**
 * Where one run plays: a real Redis, the real proxy in this process (so that truth and trace have one clock), layers and raw connections
 * that go through it, and the truth log. Ended by closing the proxy first: the trace ends while everybody is still there.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { randomStream } from '../clients/random.js';
import type { PrivateRedis } from '../demo/redis.js';
import { Listener } from '../proxy/listener.js';
import { Recorder } from '../proxy/recorder.js';
import { Upstream } from '../proxy/upstream.js';
import type { ReceiveStrategy, RedisOptions } from '../server/layers/layer.js';
import { RedisLayer } from '../server/layers/redis.js';
import { createLog } from '../terminal/log.js';
import { TruthLog } from './truth.js';
import { WireClient } from './wire-client.js';

export interface StageOptions {
  readonly seed: number;
  readonly redis: PrivateRedis;
  readonly trace: string;
  /** Added by the proxy each way. */
  readonly latencyUs: number;
}

export interface LayerChoice extends Omit<RedisOptions, 'hosts'> {
  readonly receive?: ReceiveStrategy;
}

export class Stage {
  readonly truth: TruthLog;
  readonly redis: PrivateRedis;
  /** Where layers connect: the proxy. */
  readonly url: string;
  readonly #seed: number;
  readonly #listener: Listener;
  readonly #recorder: Recorder;
  readonly #closing: (() => unknown)[] = [];
  readonly #failures: unknown[] = [];
  #direct: Redis | undefined;
  #ending = false;

  static async open(options: StageOptions): Promise<Stage> {
    const { redis, trace, latencyUs } = options;
    const recorder = await Recorder.create({
      path: trace,
      meta: { latency_us: String(latencyUs), upstream: redis.url },
    });
    const listener = await Listener.open({ host: '127.0.0.1', port: 0 });
    listener.accept({
      upstream: Upstream.parse(redis.url),
      recording: recorder,
      log: createLog(() => {}, {}),
      latency: latencyUs === 0 ? undefined : { latencyUs, jitterUs: latencyUs / 4 },
    });
    return new Stage(options, listener, recorder);
  }

  private constructor({ seed, redis }: StageOptions, listener: Listener, recorder: Recorder) {
    this.#seed = seed;
    this.redis = redis;
    this.#listener = listener;
    this.#recorder = recorder;
    this.url = `redis://${listener.address}`;
    this.truth = new TruthLog(() => recorder.nowUs());
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
    const layer = new RedisLayer({ capacity: 10_000, prefix: 'chat', ...choice, hosts: [this.url] });
    this.#closing.push(() => layer.close());
    return layer;
  }

  /** A raw connection, behind the proxy. */
  async connect(): Promise<WireClient> {
    const wire = await WireClient.connect(Number(this.url.split(':').at(-1)));
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
    await this.#listener.stop();
    await this.#recorder.close();
    for (const close of this.#closing) await close();
    this.#direct?.disconnect();
    if (this.#failures.length > 0) throw this.#failures[0];
  }
}
