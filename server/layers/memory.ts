/**
 * The layer within one process, without Redis: the control in every comparison. What is lost here was not lost by Redis.
 *
 * As channels' in-memory layer does it, a channel with a message past its expiry leaves all its groups, for its consumer has gone.
 *
 * Source: `InMemoryChannelLayer` in channels/layers.py 4.0, which knows no capacities by pattern.
 */
import { randomUUID } from 'node:crypto';
import {
  ChannelFull,
  type ChannelLayer,
  type LayerOptions,
  type Message,
  type ReceiveOptions,
} from './layer.js';
import { checkChannelName, checkGroupName } from './names.js';
import { type LayerSettings, layerSettings } from './options.js';
import { layerClosed } from './pool.js';
import { Receiving } from './receiving.js';
import { checkMessage } from './sendable.js';

interface Queue {
  /** With the time at which each expires, in ms of the monotonic clock. */
  readonly messages: { readonly message: Message; readonly expires: number }[];
  /** Those who wait, in order. Where somebody waits there are no messages. */
  readonly waiting: Set<(message: Message) => void>;
}

export class MemoryLayer implements ChannelLayer {
  readonly #settings: LayerSettings;
  readonly #receiving = new Receiving();
  readonly #queues = new Map<string, Queue>();
  /** Group -> its channels, with the time at which each was added. */
  readonly #groups = new Map<string, Map<string, number>>();

  constructor(options: LayerOptions = {}) {
    this.#settings = layerSettings(options);
  }

  async newChannel(prefix = 'specific'): Promise<string> {
    this.#checkOpen();
    const channel = `${prefix}.inmemory!${randomUUID().replaceAll('-', '')}`;
    checkChannelName(channel);
    return channel;
  }

  async send(channel: string, message: Message): Promise<void> {
    checkChannelName(channel);
    checkMessage(message);
    this.#checkOpen();
    this.#put(channel, message);
  }

  async receive(channel: string, { signal }: ReceiveOptions = {}): Promise<Message> {
    checkChannelName(channel);
    return this.#receiving.until(signal, (either) => {
      this.#dropExpired();
      return this.#next(channel, either);
    });
  }

  async groupAdd(group: string, channel: string): Promise<void> {
    checkGroupName(group);
    checkChannelName(channel);
    this.#checkOpen();
    const members = this.#groups.get(group) ?? new Map();
    this.#groups.set(group, members.set(channel, performance.now()));
  }

  async groupDiscard(group: string, channel: string): Promise<void> {
    checkGroupName(group);
    checkChannelName(channel);
    this.#checkOpen();
    this.#removeFrom(group, channel);
  }

  async groupSend(group: string, message: Message): Promise<void> {
    checkGroupName(group);
    checkMessage(message);
    this.#checkOpen();
    this.#dropExpired();
    let full = 0;
    const members = [...(this.#groups.get(group)?.keys() ?? [])];
    for (const channel of members) {
      try {
        this.#put(channel, message);
      } catch (error) {
        if (!(error instanceof ChannelFull)) throw error;
        full++;
      }
    }
    if (full > 0)
      this.#settings.notice({
        event: 'over-capacity',
        level: 'info',
        message: `${full} of ${members.length} channels were full: a message to group ${group} did not go into them`,
      });
  }

  async flush(): Promise<void> {
    this.#checkOpen();
    for (const [channel, queue] of this.#queues) {
      queue.messages.length = 0;
      this.#tidy(channel, queue);
    }
    this.#groups.clear();
  }

  async close(): Promise<void> {
    this.#receiving.close();
    this.#queues.clear();
    this.#groups.clear();
  }

  async check(): Promise<void> {
    this.#checkOpen();
  }

  #put(channel: string, message: Message): void {
    const capacity = this.#settings.capacityOf(channel);
    const queue = this.#open(channel);
    if (queue.messages.length >= capacity) throw new ChannelFull(channel, capacity);
    // Each consumer has its own: what one does to it no other sees, as if it had been through Redis.
    const own = structuredClone(message);
    const [first] = queue.waiting;
    if (first === undefined) {
      queue.messages.push({ message: own, expires: performance.now() + this.#settings.expiry * 1000 });
      return;
    }
    queue.waiting.delete(first);
    this.#tidy(channel, queue);
    first(own);
  }

  #next(channel: string, signal: AbortSignal): Promise<Message> {
    const queue = this.#open(channel);
    const first = queue.messages.shift();
    if (first !== undefined) {
      this.#tidy(channel, queue);
      return Promise.resolve(first.message);
    }
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        queue.waiting.delete(hand);
        this.#tidy(channel, queue);
        reject(signal.reason);
      };
      const hand = (message: Message): void => {
        signal.removeEventListener('abort', abort);
        resolve(message);
      };
      queue.waiting.add(hand);
      signal.addEventListener('abort', abort, { once: true });
    });
  }

  #open(channel: string): Queue {
    let queue = this.#queues.get(channel);
    if (queue === undefined) {
      queue = { messages: [], waiting: new Set() };
      this.#queues.set(channel, queue);
    }
    return queue;
  }

  #tidy(channel: string, queue: Queue): void {
    if (queue.messages.length === 0 && queue.waiting.size === 0 && this.#queues.get(channel) === queue)
      this.#queues.delete(channel);
  }

  #dropExpired(): void {
    const now = performance.now();
    for (const [channel, queue] of this.#queues) {
      if ((queue.messages[0]?.expires ?? Number.POSITIVE_INFINITY) > now) continue;
      while ((queue.messages[0]?.expires ?? Number.POSITIVE_INFINITY) <= now) queue.messages.shift();
      this.#tidy(channel, queue);
      for (const group of this.#groups.keys()) this.#removeFrom(group, channel);
    }
    const oldest = now - this.#settings.groupExpiry * 1000;
    for (const [group, members] of this.#groups)
      for (const [channel, added] of members) if (added < oldest) this.#removeFrom(group, channel);
  }

  #removeFrom(group: string, channel: string): void {
    const members = this.#groups.get(group);
    if (members?.delete(channel) && members.size === 0) this.#groups.delete(group);
  }

  #checkOpen(): void {
    if (this.#receiving.closed) throw layerClosed();
  }
}
