/**
 * A channel layer: how the processes of a chat server send messages to each other, as the Channels specification has it.
 *
 * A channel is a name with a queue behind it, read by one consumer; `newChannel` makes one for this process. A group is
 * a set of channels: `groupSend` puts a message into each. Messages are maps of msgpack's values. Delivery is at most
 * once by the specification: a message may wait `expiry` seconds and a channel may hold `capacity` messages, and
 * what is over that is dropped. Which of the three layers loses more than that, and when, is what this project is about.
 *
 * Source: https://channels.readthedocs.io/en/stable/channel_layer_spec.html, and channels/layers.py 4.0.
 */
import { GaptraceError } from '../../terminal/errors.js';
import type { Message } from './message.js';

export type { Message } from './message.js';

export interface ReceiveOptions {
  /**
   * Cancels this `receive`, as asyncio cancels the task of a consumer whose WebSocket has closed. With `redis` and
   * `channels-redis` it also cuts the Redis connection of a pop under way: the weakness under observation.
   */
  readonly signal?: AbortSignal;
}

export interface ChannelLayer {
  /** A new channel of this process. `prefix` is `specific` where not told. */
  newChannel(prefix?: string): Promise<string>;
  /** Puts the message into one channel. Rejects with ChannelFull when that is at its capacity. */
  send(channel: string, message: Message): Promise<void>;
  /**
   * The next message of the channel; waits as long as it takes. Rejects with `signal.reason` once that is aborted,
   * with GAPTRACE_LAYER_REDIS_DOWN or GAPTRACE_LAYER_REDIS_REFUSED when Redis fails it (the layer lives on: the next call
   * tries anew), and with GAPTRACE_LAYER_CLOSED when the layer is closed meanwhile.
   */
  receive(channel: string, options?: ReceiveOptions): Promise<Message>;
  /** Adds the channel to the group; again is no error and renews the membership. */
  groupAdd(group: string, channel: string): Promise<void>;
  /** Removes the channel from the group; no error when it is not in it. */
  groupDiscard(group: string, channel: string): Promise<void>;
  /** Puts the message into every channel of the group. A full channel is passed over: it does not hear of it, nor does the sender. */
  groupSend(group: string, message: Message): Promise<void>;
  /** Forgets all channels, messages and groups under the layer's prefix, on every host, for every process. It can be used on. */
  flush(): Promise<void>;
  /** Ends every `receive` (GAPTRACE_LAYER_CLOSED) and every connection. Nothing can be done with it afterwards. Can be called twice. */
  close(): Promise<void>;
  /** Resolves when every Redis host answers a PING (at once without Redis); rejects as the other operations do. */
  check(): Promise<void>;
}

/** What a layer has to say to its operator: for the log. */
export interface LayerNotice {
  readonly event: 'over-capacity' | 'inbox-full' | 'unreadable' | 'redis-lost' | 'redis-back';
  readonly level: 'info' | 'warn';
  /** One line, without credentials. */
  readonly message: string;
}

/** What every layer can be told. */
export interface LayerOptions {
  /** Messages that a channel holds before it is full. 100 */
  readonly capacity?: number;
  /**
   * Other capacities for channels by name, the first that matches. Text is a glob (`*`, `?`, `[seq]`, `[!seq]`) for the whole name;
   * a RegExp must match where the name begins.
   */
  readonly channelCapacity?: ReadonlyArray<readonly [pattern: string | RegExp, capacity: number]>;
  /** Seconds that a message waits at most before it may be dropped. 60 */
  readonly expiry?: number;
  /** Seconds that a channel stays in a group without being added again. 86400 */
  readonly groupExpiry?: number;
  /** What every key begins with. `asgi` */
  readonly prefix?: string;
  /** Hears of trouble. Nowhere by default. */
  readonly onNotice?: (notice: LayerNotice) => void;
}

export interface RedisOptions extends LayerOptions {
  /** `redis://[user[:password]@]host[:port][/db]`, `rediss://…` or `unix:///path[?db=n]`, one or more. `redis://localhost:6379` */
  readonly hosts?: readonly string[];
  /** Version of the Redis protocol. 2, which channels_redis 4.0 speaks */
  readonly protocol?: 2 | 3;
}

/** How the `redis` layer receives: as channels_redis does, with its weakness, or cured of it. */
export type ReceiveStrategy = 'channels-redis' | 'reliable';

/** Which layer, and how: what `createLayer` (create.ts) makes one of. */
export type LayerConfig =
  | ({ readonly layer: 'redis'; readonly receive?: ReceiveStrategy } & RedisOptions)
  | ({ readonly layer: 'pubsub' } & RedisOptions)
  | ({ readonly layer: 'memory' } & LayerOptions);

/** The channel is at its capacity; the message was not sent. */
export class ChannelFull extends GaptraceError {
  constructor(
    readonly channel: string,
    readonly capacity: number,
  ) {
    super('GAPTRACE_LAYER_FULL', `channel ${channel} is full: ${capacity} messages wait in it`);
  }
}
