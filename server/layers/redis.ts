/**
 * The layer on Redis: on the wire what channels_redis 4.0's core layer does, command by command.
 *
 *   queue of a process   sorted set `<prefix>specific.<32 hex>!`: member -> the second at which it was sent
 *   its backup           `…!$inflight`: what was popped and is not acknowledged yet
 *   group                sorted set `<prefix>:group:<name>`: channel -> the second at which it was added
 *
 * All channels of a process share one queue, so a message to a group is stored once for each process, with the names of the channels
 * that it is for (message.ts). Sending is here; receiving has two strategies, each in a file of its own.
 *
 * Source: channels_redis/core.py 4.0. Left out: symmetric_encryption_keys and Sentinel.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { GaptraceError } from '../../terminal/errors.js';
import { secondsNow } from './clock.js';
import * as commands from './commands.js';
import { redisHosts } from './hosts.js';
import {
  ChannelFull,
  type ChannelLayer,
  type Message,
  type ReceiveOptions,
  type ReceiveStrategy,
  type RedisOptions,
} from './layer.js';
import { encodeMember, RANDOM_BYTES, RECIPIENTS_KEY } from './message.js';
import { checkChannelName, checkGroupName, isProcessChannel, queueNameOf } from './names.js';
import { type LayerSettings, layerSettings, optionError } from './options.js';
import { hostOf, type Parcel, parcelsFor } from './placement.js';
import { RedisPool } from './pool.js';
import { ChannelsRedisReceiver } from './receive-channels-redis.js';
import { ReliableReceiver } from './receive-reliable.js';
import type { Receiver } from './receiver.js';
import { Receiving } from './receiving.js';
import { checkMessage, packed } from './sendable.js';

export class RedisLayer implements ChannelLayer {
  readonly #settings: LayerSettings;
  readonly #pools: readonly RedisPool[];
  readonly #receiver: Receiver;
  readonly #strategy: ReceiveStrategy;
  /** What tells this process's queues from all others: 32 hex digits. */
  readonly #process = randomUUID().replaceAll('-', '');
  readonly #receiving = new Receiving();
  #nextHost = 0;

  constructor(options: RedisOptions & { readonly receive?: ReceiveStrategy } = {}) {
    this.#settings = layerSettings(options);
    this.#strategy = options.receive ?? 'channels-redis';
    this.#pools = redisHosts(options.hosts, options.protocol).map((host) => new RedisPool(host));
    const parts = { pools: this.#pools, settings: this.#settings };
    switch (this.#strategy) {
      case 'channels-redis':
        this.#receiver = new ChannelsRedisReceiver(parts);
        break;
      case 'reliable':
        this.#receiver = new ReliableReceiver(parts);
        break;
      default:
        throw optionError('receive', this.#strategy, '"channels-redis" or "reliable"');
    }
  }

  async newChannel(prefix = 'specific'): Promise<string> {
    const channel = `${prefix}.${this.#process}!${randomUUID().replaceAll('-', '')}`;
    checkChannelName(channel);
    return channel;
  }

  async send(channel: string, message: Message): Promise<void> {
    checkChannelName(channel);
    checkMessage(message);
    const { prefix, expiry, capacityOf } = this.#settings;
    const queue = prefix + queueNameOf(channel);
    const member = this.#memberOf(
      isProcessChannel(channel) ? { ...message, [RECIPIENTS_KEY]: channel } : message,
    );
    const pool = this.#pool(this.#hostToSendTo(channel));
    await pool.send(commands.dropOlder(queue, secondsNow(), expiry));
    const capacity = capacityOf(channel);
    // Others may send in between: a queue can go a little over its capacity, as with Python.
    if (Number(await pool.send(commands.lengthOf(queue))) >= capacity)
      throw new ChannelFull(channel, capacity);
    await pool.send(commands.enqueue(queue, member, secondsNow()));
    await pool.send(commands.expire(queue, expiry));
  }

  async receive(channel: string, { signal }: ReceiveOptions = {}): Promise<Message> {
    checkChannelName(channel);
    const queueName = queueNameOf(channel);
    if (isProcessChannel(channel) && !queueName.endsWith(`.${this.#process}!`))
      throw new GaptraceError(
        'GAPTRACE_LAYER_NAME',
        `${channel} is a channel of another process: only that can receive from it`,
      );
    return this.#receiving.until(signal, (either) => this.#receiver.receive(channel, queueName, either));
  }

  async groupAdd(group: string, channel: string): Promise<void> {
    checkGroupName(group);
    checkChannelName(channel);
    const key = this.#groupKey(group);
    const pool = this.#poolOf(group);
    await pool.send(commands.addToGroup(key, channel, secondsNow()));
    await pool.send(commands.expire(key, this.#settings.groupExpiry));
  }

  async groupDiscard(group: string, channel: string): Promise<void> {
    checkGroupName(group);
    checkChannelName(channel);
    await this.#poolOf(group).send(commands.removeFromGroup(this.#groupKey(group), channel));
  }

  async groupSend(group: string, message: Message): Promise<void> {
    checkGroupName(group);
    checkMessage(message);
    const key = this.#groupKey(group);
    const pool = this.#poolOf(group);
    await pool.send(commands.dropOlder(key, secondsNow(), this.#settings.groupExpiry));
    const members = (await pool.send(commands.membersOf(key))) as readonly Buffer[];
    const channels = members.map((name) => name.toString('utf8'));
    const parcels = parcelsFor(channels, message, this.#pools.length, this.#settings.capacityOf);
    for (const [host, placed] of parcels) await this.#deliver(this.#pool(host), placed, group);
  }

  async flush(): Promise<void> {
    await this.#receiver.settle();
    for (const pool of this.#pools) await pool.send(commands.flushAll(this.#settings.prefix));
    for (const pool of this.#pools) pool.close(false);
  }

  async close(): Promise<void> {
    if (this.#receiving.closed) return;
    this.#receiving.close();
    await this.#receiver.close();
    for (const pool of this.#pools) pool.close(true);
  }

  async check(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.send(['PING'])));
  }

  /** One message to the queues of one host. */
  async #deliver(pool: RedisPool, parcels: readonly Parcel[], group: string): Promise<void> {
    const { prefix, expiry, notice } = this.#settings;
    const items = parcels.map(({ queueName, message, capacity }) => ({
      queue: prefix + queueName,
      member: this.#memberOf(message),
      capacity,
    }));
    await pool.transaction(items.map(({ queue }) => commands.dropOlder(queue, secondsNow(), expiry)));
    const full = Number(await pool.send(commands.enqueueAll(items, secondsNow(), expiry)));
    if (full > 0)
      notice({
        event: 'over-capacity',
        level: 'info',
        message: `${full} of ${items.length} queues were full: a message to group ${group} did not go into them`,
      });
  }

  #memberOf(message: Message): Uint8Array {
    return packed(() => encodeMember(message, randomBytes(RANDOM_BYTES)));
  }

  /**
   * A general channel is on all hosts in turn. One of a process: channels_redis looks for the host with the whole name but receives with
   * the queue's (channels_redis#221), so that with several hosts it sends where nobody listens. The cured strategy does not.
   */
  #hostToSendTo(channel: string): number {
    const hosts = this.#pools.length;
    if (isProcessChannel(channel))
      return hostOf(this.#strategy === 'reliable' ? queueNameOf(channel) : channel, hosts);
    const host = this.#nextHost;
    this.#nextHost = (host + 1) % hosts;
    return host;
  }

  #groupKey(group: string): string {
    return commands.groupKey(this.#settings.prefix, group);
  }

  #poolOf(group: string): RedisPool {
    return this.#pool(hostOf(group, this.#pools.length));
  }

  #pool(host: number): RedisPool {
    return this.#pools[host] as RedisPool;
  }
}
