/**
 * What the operations and pushes of a trace mean to the pub/sub layer, `channels_redis.pubsub` (3.3 to 4.0, and gaptrace's own).
 * Nothing is queued: PUBLISH reaches whoever is subscribed at that moment, and its reply says how many that were.
 *
 *   new_channel, receive   SUBSCRIBE <prefix>specific.<32 hex>      one name for each consumer, of its process alone
 *   group_add              SUBSCRIBE <prefix>__group__<name>        when the first consumer of the process joins
 *   group_discard          UNSUBSCRIBE …                            when the last one leaves
 *   send, group_send       PUBLISH name payload                     msgpack of the message, without random bytes
 *   a new connection       SUBSCRIBE name…                          all that the process held on the one before, in one command
 *
 * Other applications publish on the same Redis. A name is the layer's by its shape, a message by being the msgpack of a map; general
 * channels (`send('thumbnails', …)`) have any name at all, and cannot be told from theirs.
 *
 * Source: channels_redis/pubsub.py 3.3 and 4.0.0, `PubSub.on_connect` of redis-py 4.3, server/layers/pubsub.ts.
 */
import type { Reply, TraceOperation, TracePush } from '../../proxy/trace/trace.js';
import { nameOf } from './channel-layer.js';

export type PubSubStep =
  | { readonly step: 'publish'; readonly channel: string; readonly payload: Buffer }
  | { readonly step: 'subscribe'; readonly channels: readonly string[] }
  /** Null: from every channel. */
  | { readonly step: 'unsubscribe'; readonly channels: readonly string[] | null }
  /** Somebody ends connections of others. */
  | { readonly step: 'kill' };

/** The commands that can be a step. */
export const PUBSUB_COMMANDS: readonly string[] = ['PUBLISH', 'SUBSCRIBE', 'UNSUBSCRIBE', 'RESET', 'CLIENT'];

/** The channel of one consumer: it has one process, whichever connection subscribes to it. */
export function isConsumerChannel(name: string): boolean {
  return /specific\.[0-9a-f]{32}$/.test(name);
}

/** Is it a name that the layer publishes under? */
export function isLayerChannel(name: string): boolean {
  return name.includes('__group__') || isConsumerChannel(name);
}

/** What an operation means to the layer; null where nothing. What is queued in a transaction has no meaning: the layer uses none. */
export function pubSubStepOf({ command, args, transaction }: TraceOperation): PubSubStep | null {
  if (transaction !== null) return null;
  switch (command) {
    case 'PUBLISH': {
      const [, channel, payload] = args;
      if (args.length !== 3 || !channel || !payload || !isLayerChannel(nameOf(channel))) return null;
      return { step: 'publish', channel: nameOf(channel), payload };
    }
    case 'SUBSCRIBE': {
      const channels = args.slice(1).map(nameOf).filter(isLayerChannel);
      return channels.length > 0 ? { step: 'subscribe', channels } : null;
    }
    case 'UNSUBSCRIBE':
      return { step: 'unsubscribe', channels: args.length > 1 ? args.slice(1).map(nameOf) : null };
    case 'RESET':
      return { step: 'unsubscribe', channels: null };
    case 'CLIENT':
      return args[1]?.toString('latin1').toUpperCase() === 'KILL' ? { step: 'kill' } : null;
    default:
      return null;
  }
}

/** How many subscribers PUBLISH reached, by its reply; null where it does not say. */
export function receiversOf(reply: Reply | null): number | null {
  return reply?.kind === 'integer' ? Number(reply.value) : null;
}

/** The channel and payload of a message to a subscriber, in RESP2 or RESP3; null for other pushes, and those of other applications. */
export function heardOf({
  kind,
  frame,
}: TracePush): { readonly channel: string; readonly payload: Buffer } | null {
  if (kind !== 'message' || (frame?.kind !== 'array' && frame?.kind !== 'push')) return null;
  const [, channel, payload] = frame.items;
  if (channel?.kind !== 'bulk' || payload?.kind !== 'bulk') return null;
  const name = nameOf(channel.bytes);
  return isLayerChannel(name) ? { channel: name, payload: payload.bytes } : null;
}
