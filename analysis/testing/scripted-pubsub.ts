/** The pub/sub layer's part of a scripted trace: what processes that speak `channels_redis.pubsub` would leave in one. */
import { encode } from '@msgpack/msgpack';
import type { Reply } from '../../proxy/trace/trace.js';
import { array, bulk, integer, type ScriptedTrace } from './scripted-trace.js';

export const ROOM = 'asgi__group__room_a';

/** The channel of a consumer of its own. */
export function consumerChannel(name: string): string {
  return `asgispecific.${Buffer.from(name).toString('hex').padEnd(32, '0')}`;
}

/** A message of the chat protocol, as `channels_redis.pubsub` publishes it. */
export function published(sender: string, count: number): Buffer {
  return Buffer.from(encode({ type: 'chat_send', text_data: JSON.stringify({ my_id: sender, count }) }));
}

interface Said {
  readonly tookMs?: number;
  readonly noReply?: boolean;
}

export class PubSubScript {
  constructor(
    readonly trace: ScriptedTrace,
    /** RESP3: confirmations and messages are pushes by their type. */
    readonly protocol: 2 | 3 = 2,
  ) {}

  subscribe(atMs: number, connection: number, channels: readonly string[], said: Said = {}): number {
    return this.#asked(atMs, connection, 'SUBSCRIBE', channels, said);
  }

  unsubscribe(atMs: number, connection: number, channels: readonly string[], said: Said = {}): number {
    return this.#asked(atMs, connection, 'UNSUBSCRIBE', channels, said);
  }

  #asked(atMs: number, connection: number, command: string, channels: readonly string[], said: Said): number {
    const reply = this.#frame(bulk(command.toLowerCase()), bulk(channels[0] ?? ''), integer(1));
    return this.trace.request(atMs, connection, [command, ...channels], reply, said);
  }

  /** `reached`: what Redis answers. Null: a refusal. */
  publish(
    atMs: number,
    member: Buffer,
    reached: number | null,
    { channel = ROOM, connection = 1, ...said }: Said & { channel?: string; connection?: number } = {},
  ): number {
    const reply: Reply =
      reached === null ? { kind: 'error', text: 'NOPERM no permissions' } : integer(reached);
    return this.trace.request(atMs, connection, ['PUBLISH', channel, member], reply, said);
  }

  /** The message comes on a subscriber's connection. `flushMs`: when it was handed on, after it was read. Null: never. */
  heard(atMs: number, connection: number, member: Buffer, flushMs: number | null = 0, channel = ROOM): void {
    const frame = this.#frame(bulk('message'), bulk(channel), bulk(member));
    this.trace.push(atMs, connection, frame, flushMs);
  }

  #frame(...items: Reply[]): Reply & { kind: 'array' | 'push' } {
    return this.protocol === 3 ? { kind: 'push', items } : (array(...items) as Reply & { kind: 'array' });
  }
}
