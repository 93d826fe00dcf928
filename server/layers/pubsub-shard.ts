/**
 * One Redis host of the pub/sub layer: a connection that subscribes, and one that publishes, one thing at a time.
 *
 * When the subscribing connection ends, nothing notices but the layer, and it waits a second before it subscribes anew; what is
 * published meanwhile is gone. A subscription or its end that is asked for in that second brings the connection back at once, and all others with it.
 *
 * Source: `RedisSingleShardConnection` in channels_redis/pubsub.py 4.0, and `PubSub.on_connect` in redis-py 4.3.
 */
import type { Redis } from 'ioredis';
import { messageOf } from '../../terminal/errors.js';
import { pause } from './backoff.js';
import { destroy, failure, newClient, RedisConnection } from './connection.js';
import type { RedisHost } from './hosts.js';
import type { LayerSettings } from './options.js';
import { layerClosed } from './pool.js';
import { Turns } from './turns.js';

/** How long the layer waits before it subscribes again, in ms: `await asyncio.sleep(1)` in `_do_receiving`. */
export const RESUBSCRIBE_MS = 1_000;

export class PubSubShard {
  readonly #turns = new Turns();
  readonly #names = new Set<string>();
  readonly #closing = new AbortController();
  #publisher: RedisConnection | undefined;
  #subscriber: Redis | undefined;
  #lost = false;

  constructor(
    private readonly host: RedisHost,
    private readonly settings: Pick<LayerSettings, 'notice'>,
    private readonly onMessage: (name: string, payload: Buffer) => void,
  ) {}

  publish(name: string, payload: Uint8Array): Promise<void> {
    return this.#inTurn(async () => {
      await (await this.#publishing()).send(['PUBLISH', name, payload]);
    });
  }

  /** Resolves when Redis was asked; its confirmation is not waited for. */
  subscribe(name: string): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#names.has(name)) return;
      const subscriber = await this.#subscribing();
      this.#names.add(name);
      this.#ask(subscriber.subscribe(name));
    });
  }

  unsubscribe(name: string): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.#names.has(name)) return;
      const subscriber = await this.#subscribing();
      this.#names.delete(name);
      this.#ask(subscriber.unsubscribe(name));
    });
  }

  check(): Promise<void> {
    return this.#inTurn(async () => {
      await (await this.#publishing()).send(['PING']);
    });
  }

  /** Ends both connections and every subscription. It can be used on. */
  reset(): Promise<void> {
    return this.#inTurn(async () => this.#end());
  }

  /** Ends everything for good. */
  close(): void {
    this.#closing.abort();
    this.#end();
  }

  async #inTurn(work: () => Promise<void>): Promise<void> {
    await this.#turns.acquire();
    try {
      if (this.#closing.signal.aborted) throw layerClosed();
      await work();
    } finally {
      this.#turns.pass();
    }
  }

  async #publishing(): Promise<RedisConnection> {
    if (!this.#publisher?.alive)
      this.#publisher = await RedisConnection.open(this.host, this.#closing.signal);
    return this.#publisher;
  }

  /** The subscribing connection; where there is none, a new one on which everything is subscribed again. */
  async #subscribing(): Promise<Redis> {
    if (this.#subscriber !== undefined) return this.#subscriber;
    const subscriber = newClient(this.host);
    let reason: unknown;
    subscriber.on('error', (error) => {
      reason ??= error;
    });
    subscriber.on('messageBuffer', (name: Buffer, payload: Buffer) =>
      this.onMessage(name.toString(), payload),
    );
    try {
      await subscriber.connect();
    } catch (error) {
      throw failure(this.host, 'the connection', reason ?? error);
    }
    if (this.#closing.signal.aborted) {
      destroy(subscriber);
      throw layerClosed();
    }
    this.#subscriber = subscriber;
    subscriber.once('end', () => {
      if (this.#subscriber === subscriber) void this.#resubscribe(reason);
    });
    if (this.#names.size > 0) this.#ask(subscriber.subscribe(...this.#names));
    if (this.#lost)
      this.#tell('redis-back', `Redis at ${this.host.label} is back: its channels are subscribed again`);
    this.#lost = false;
    return subscriber;
  }

  async #resubscribe(reason: unknown): Promise<void> {
    this.#subscriber = undefined;
    const { signal } = this.#closing;
    while (this.#subscriber === undefined && this.#names.size > 0 && !signal.aborted) {
      if (!this.#lost)
        this.#tell(
          'redis-lost',
          `nothing is heard from Redis at ${this.host.label}${reason === undefined ? '' : ` (${messageOf(reason)})`} until it is subscribed again`,
        );
      this.#lost = true;
      await pause(RESUBSCRIBE_MS, signal);
      await this.#inTurn(async () => {
        await this.#subscribing();
      }).catch((error: unknown) => {
        reason = error;
      });
    }
  }

  /** A connection that ends meanwhile needs no word here: all is asked for again on the next. */
  #ask(asked: Promise<unknown>): void {
    asked.catch((error: unknown) => {
      const { code, message } = failure(this.host, 'to subscribe', error);
      if (code === 'GAPTRACE_LAYER_REDIS_REFUSED') this.#tell('redis-lost', message);
    });
  }

  #end(): void {
    const subscriber = this.#subscriber;
    this.#subscriber = undefined;
    this.#names.clear();
    if (subscriber !== undefined) destroy(subscriber);
    this.#publisher?.cut();
    this.#publisher = undefined;
  }

  #tell(event: 'redis-lost' | 'redis-back', message: string): void {
    this.settings.notice({ event, level: event === 'redis-lost' ? 'warn' : 'info', message });
  }
}
