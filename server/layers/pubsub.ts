/**
 * The layer on Redis' publish and subscribe, as `channels_redis.pubsub` does it: nothing is queued in Redis. A message reaches the
 * processes that are subscribed when it is published, and nobody else. Who is in a group is known only to the process itself.
 *
 * Channels are `<prefix>specific.<32 hex>`, groups `<prefix>__group__<name>`; a message is its msgpack, without random bytes.
 * Differences from Python: names are checked, a channel that is not in a group can be discarded from it, and the messages that
 * wait for a consumer are bounded by the capacity.
 *
 * Source: channels_redis/pubsub.py 4.0.
 */
import { randomUUID } from 'node:crypto';
import { decode, encode } from '@msgpack/msgpack';
import { GaptraceError, messageOf } from '../../terminal/errors.js';
import { redisHosts } from './hosts.js';
import { Inboxes } from './inboxes.js';
import type { ChannelLayer, Message, ReceiveOptions, RedisOptions } from './layer.js';
import { checkChannelName, checkGroupName } from './names.js';
import { type LayerSettings, layerSettings } from './options.js';
import { hostOf } from './placement.js';
import { PubSubShard } from './pubsub-shard.js';
import { Receiving } from './receiving.js';
import { checkMessage, packed } from './sendable.js';

export class PubSubLayer implements ChannelLayer {
  readonly #settings: LayerSettings;
  readonly #shards: readonly PubSubShard[];
  readonly #inboxes: Inboxes;
  readonly #receiving = new Receiving();
  /** The channels of this process. */
  readonly #channels = new Set<string>();
  /** The groups that channels of this process are in, by the name that they are published under. */
  readonly #groups = new Map<string, Set<string>>();

  constructor(options: RedisOptions = {}) {
    this.#settings = layerSettings(options);
    this.#inboxes = new Inboxes(this.#settings);
    this.#shards = redisHosts(options.hosts, options.protocol).map(
      (host) => new PubSubShard(host, this.#settings, (name, payload) => this.#hear(name, payload)),
    );
  }

  async newChannel(prefix = 'specific'): Promise<string> {
    const channel = `${this.#settings.prefix}${prefix}.${randomUUID().replaceAll('-', '')}`;
    checkChannelName(channel);
    await this.#join(channel);
    return channel;
  }

  async send(channel: string, message: Message): Promise<void> {
    checkChannelName(channel);
    checkMessage(message);
    await this.#publish(channel, message);
  }

  async receive(channel: string, { signal }: ReceiveOptions = {}): Promise<Message> {
    checkChannelName(channel);
    return this.#receiving.until(signal, async (either) => {
      if (!this.#channels.has(channel)) await this.#join(channel);
      try {
        return await this.#inboxes.next(channel, either);
      } catch (error) {
        // Its consumer is gone: nobody else can have the channel.
        if (!this.#receiving.closed) await this.#leave(channel);
        throw error;
      }
    });
  }

  async groupAdd(group: string, channel: string): Promise<void> {
    checkGroupName(group);
    checkChannelName(channel);
    if (!this.#channels.has(channel))
      throw new GaptraceError(
        'GAPTRACE_LAYER_NAME',
        `${channel} is not a channel of this process: with pub/sub, only its own process can add it to a group`,
      );
    const name = this.#groupName(group);
    const members = this.#groups.get(name) ?? new Set();
    this.#groups.set(name, members.add(channel));
    await this.#shardOf(name).subscribe(name);
  }

  async groupDiscard(group: string, channel: string): Promise<void> {
    checkGroupName(group);
    checkChannelName(channel);
    const name = this.#groupName(group);
    const members = this.#groups.get(name);
    if (!members?.delete(channel) || members.size > 0) return;
    this.#groups.delete(name);
    await this.#shardOf(name).unsubscribe(name);
  }

  async groupSend(group: string, message: Message): Promise<void> {
    checkGroupName(group);
    checkMessage(message);
    await this.#publish(this.#groupName(group), message);
  }

  /** Forgets this process's channels and groups; there is nothing in Redis, and other processes keep theirs. */
  async flush(): Promise<void> {
    for (const channel of this.#channels) this.#inboxes.drop(channel);
    this.#channels.clear();
    this.#groups.clear();
    for (const shard of this.#shards) await shard.reset();
  }

  async close(): Promise<void> {
    this.#receiving.close();
    for (const shard of this.#shards) shard.close();
  }

  async check(): Promise<void> {
    await Promise.all(this.#shards.map((shard) => shard.check()));
  }

  async #publish(name: string, message: Message): Promise<void> {
    const payload = packed(() => encode(message, { useBigInt64: true }));
    await this.#shardOf(name).publish(name, payload);
  }

  async #join(channel: string): Promise<void> {
    this.#channels.add(channel);
    await this.#shardOf(channel).subscribe(channel);
  }

  async #leave(channel: string): Promise<void> {
    if (!this.#channels.delete(channel)) return;
    this.#inboxes.drop(channel);
    // The consumer hears why it ended, not that Redis did not hear of it.
    await this.#shardOf(channel)
      .unsubscribe(channel)
      .catch(() => {});
  }

  /** A message was published to a channel or a group. */
  #hear(name: string, payload: Buffer): void {
    const members = this.#channels.has(name) ? [name] : this.#groups.get(name);
    if (members === undefined) return;
    const message = this.#read(payload, name);
    if (message === null) return;
    for (const channel of members) if (this.#channels.has(channel)) this.#inboxes.deliver(channel, message);
  }

  #read(payload: Buffer, name: string): Message | null {
    let why: string;
    try {
      const message = decode(payload, { useBigInt64: true });
      if (message !== null && typeof message === 'object' && !Array.isArray(message))
        return message as Message;
      why = 'it is not a map';
    } catch (error) {
      why = messageOf(error);
    }
    this.#settings.notice({
      event: 'unreadable',
      level: 'warn',
      message: `a message of ${name} cannot be read and is dropped: ${why}`,
    });
    return null;
  }

  #groupName(group: string): string {
    return `${this.#settings.prefix}__group__${group}`;
  }

  #shardOf(name: string): PubSubShard {
    return this.#shards[hostOf(name, this.#shards.length)] as PubSubShard;
  }
}
