/**
 * The messages that have reached the process and wait for their consumer, by channel.
 *
 * A consumer that has stopped reading must not fill the memory: an inbox over its capacity drops its oldest message, as
 * channels_redis' BoundedQueue does. An inbox that nobody has read for `expiry` seconds is dropped whole: its consumer is gone, and the
 * messages were past their time (channels_redis keeps it for ever, channels_redis#384).
 */
import type { Message } from './layer.js';
import type { LayerSettings } from './options.js';

interface Inbox {
  readonly messages: Message[];
  /** Those who wait for the next message, in order. Where somebody waits there are no messages. */
  readonly waiting: Set<(message: Message) => void>;
  /** When a consumer last asked, in ms of the monotonic clock. */
  askedAt: number;
  /** It was said that it overflows; said once until it is empty again. */
  overflowed: boolean;
}

export class Inboxes {
  readonly #inboxes = new Map<string, Inbox>();
  #sweptAt = performance.now();

  constructor(private readonly settings: Pick<LayerSettings, 'capacity' | 'expiry' | 'notice'>) {}

  /** How many inboxes there are: of channels with messages, or with somebody waiting. */
  get size(): number {
    return this.#inboxes.size;
  }

  /** Hands the message to the one who has waited longest, or keeps it for the next one who asks. */
  deliver(channel: string, message: Message): void {
    this.#sweep();
    const inbox = this.#open(channel);
    const [first] = inbox.waiting;
    if (first !== undefined) {
      inbox.waiting.delete(first);
      this.#tidy(channel, inbox);
      first(message);
      return;
    }
    if (inbox.messages.length >= this.settings.capacity) {
      inbox.messages.shift();
      if (!inbox.overflowed) this.#tellOverflow(channel);
      inbox.overflowed = true;
    }
    inbox.messages.push(message);
  }

  /** The oldest message of the channel, or undefined at once. */
  take(channel: string): Message | undefined {
    const inbox = this.#inboxes.get(channel);
    if (inbox === undefined) return undefined;
    inbox.askedAt = performance.now();
    const message = inbox.messages.shift();
    this.#tidy(channel, inbox);
    return message;
  }

  /**
   * `onMessage` gets the next message of the channel; to call when `take` found none. Called once, never before this returns.
   * The returned function stops waiting: no message goes to it from then on.
   */
  wait(channel: string, onMessage: (message: Message) => void): () => void {
    const inbox = this.#open(channel);
    const entry = (message: Message): void => onMessage(message);
    inbox.waiting.add(entry);
    return () => {
      inbox.askedAt = performance.now();
      if (inbox.waiting.delete(entry)) this.#tidy(channel, inbox);
    };
  }

  /** Does somebody wait for a message of the channel? */
  isAwaited(channel: string): boolean {
    return (this.#inboxes.get(channel)?.waiting.size ?? 0) > 0;
  }

  /** The next message of the channel; rejects with `signal.reason`, and takes no message, once that is aborted. */
  next(channel: string, signal: AbortSignal): Promise<Message> {
    const message = this.take(channel);
    if (message !== undefined) return Promise.resolve(message);
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        stop();
        reject(signal.reason);
      };
      const stop = this.wait(channel, (next) => {
        signal.removeEventListener('abort', abort);
        resolve(next);
      });
      signal.addEventListener('abort', abort, { once: true });
    });
  }

  /** Forgets the messages of a channel whose consumer is gone. */
  drop(channel: string): void {
    const inbox = this.#inboxes.get(channel);
    if (inbox === undefined) return;
    inbox.messages.length = 0;
    this.#tidy(channel, inbox);
  }

  #open(channel: string): Inbox {
    let inbox = this.#inboxes.get(channel);
    if (inbox === undefined) {
      inbox = { messages: [], waiting: new Set(), askedAt: performance.now(), overflowed: false };
      this.#inboxes.set(channel, inbox);
    }
    return inbox;
  }

  #tidy(channel: string, inbox: Inbox): void {
    if (inbox.messages.length > 0) return;
    inbox.overflowed = false;
    // Only if it is still the channel's own: a stale one may be asked to stop waiting after a new one was opened.
    if (inbox.waiting.size === 0 && this.#inboxes.get(channel) === inbox) this.#inboxes.delete(channel);
  }

  #sweep(): void {
    const now = performance.now();
    const idleMs = this.settings.expiry * 1000;
    if (now - this.#sweptAt < idleMs) return;
    this.#sweptAt = now;
    for (const [channel, inbox] of this.#inboxes)
      if (inbox.waiting.size === 0 && now - inbox.askedAt >= idleMs) this.#inboxes.delete(channel);
  }

  #tellOverflow(channel: string): void {
    const { capacity, notice } = this.settings;
    notice({
      event: 'inbox-full',
      level: 'warn',
      message: `the consumer of ${channel} does not read: ${capacity} messages wait for it, its oldest are dropped from now on`,
    });
  }
}
