/**
 * A process of channels_redis 2 played over raw connections: its queue is a list, its members are the msgpack of the message alone, one for
 * each recipient, and it receives with
 *
 *   2.0 to 2.2   BLPOP K                                  nothing keeps the message from there on
 *   2.3, 2.4     EVAL restore 0 K I   BRPOPLPUSH K I   RPOP I
 */
import { randomBytes } from 'node:crypto';
import { encode } from '@msgpack/msgpack';
import { addToGroup, groupKey, membersOf } from '../server/layers/commands.js';
import { decodeMessage, type Message, RECIPIENTS_KEY, recipientsOf } from '../server/layers/message.js';
import { type ChannelLayer, idOf } from './consumer.js';
import type { Stage } from './stage.js';
import type { Said, WireClient } from './wire-client.js';

/** As the versions with a backup have it: what was popped and not acknowledged goes back. */
const RESTORE =
  "local held = redis.call('RPOPLPUSH', ARGV[2], ARGV[1]) while held do held = redis.call('RPOPLPUSH', ARGV[2], ARGV[1]) end";
/** A group_send: one member for each channel, into the queue of its process. */
const RPUSH_EACH =
  "for i = 1, #KEYS do redis.call('RPUSH', KEYS[i], ARGV[i]) redis.call('EXPIRE', KEYS[i], 60) end";
const POLL_SECONDS = 5;

export interface ListOptions {
  /** Pops into a backup, as 2.3 and 2.4. */
  readonly backup?: boolean;
  /** Of a group_send: what each recipient's member names as its recipient. In order where not told. */
  readonly misroute?: (recipients: readonly string[]) => readonly string[];
}

export class ListProcess {
  readonly #name = `specific.${letters(8)}!`;
  readonly #queue = `chat${this.#name}`;
  readonly #backup = `${this.#queue}$inflight`;
  readonly #channels = new Set<string>();

  constructor(
    readonly stage: Stage,
    private readonly options: ListOptions = {},
  ) {}

  /** One more consumer. */
  async join(wire: WireClient, group: string): Promise<string> {
    const channel = this.#name + letters(12);
    this.#channels.add(channel);
    await wire.call(...addToGroup(groupKey('chat', group), channel, Date.now() / 1000));
    this.stage.truth.note({ event: 'joined', channel, group });
    return channel;
  }

  /** A layer that sends over a connection. */
  speaksOver(wire: WireClient): Pick<ChannelLayer, 'groupSend' | 'send'> {
    return {
      groupSend: async (group, message) => {
        const members = (await wire.call(...membersOf(groupKey('chat', group)))) as readonly Buffer[];
        const channels = members.map(String);
        const named = this.options.misroute?.(channels) ?? channels;
        const keys = channels.map(queueOf);
        await wire.call(
          'EVAL',
          RPUSH_EACH,
          keys.length,
          ...keys,
          ...named.map((one) => memberFor(one, message)),
        );
      },
      send: async (channel, message) => {
        // The versions with a backup pop from the other end.
        const push = this.options.backup ? 'LPUSH' : 'RPUSH';
        await wire.call(push, queueOf(channel), memberFor(channel, message));
      },
    };
  }

  /** Asks for the next message; its reply is for `take`. */
  poll(wire: WireClient): void {
    if (this.options.backup) wire.send('BRPOPLPUSH', this.#queue, this.#backup, POLL_SECONDS);
    else wire.send('BLPOP', this.#queue, POLL_SECONDS);
  }

  /** What was acknowledged by nobody goes back into the queue. Nothing where there is no backup. */
  async restore(wire: WireClient): Promise<void> {
    if (this.options.backup) await wire.call('EVAL', RESTORE, 0, this.#queue, this.#backup);
  }

  /** What the poll has brought; null where nothing. */
  async take(wire: WireClient): Promise<Buffer | null> {
    const reply = await wire.read();
    const member = Array.isArray(reply) ? (reply as readonly Said[])[1] : reply;
    return Buffer.isBuffer(member) ? member : null;
  }

  /** Hands it to its consumer, and acknowledges it. */
  async finish(wire: WireClient, member: Buffer): Promise<void> {
    const { message, channel } = read(member);
    this.stage.truth.note({ event: 'processed', message, channel });
    if (this.options.backup) await wire.call('RPOP', this.#backup);
  }

  async receiveUntil(wire: WireClient, over: () => boolean): Promise<void> {
    while (!over()) {
      await this.restore(wire);
      this.poll(wire);
      const member = await this.take(wire);
      if (member) await this.finish(wire, member);
    }
  }

  /** Notes that this popped message goes no further, and why. */
  blame(member: Buffer, cause: string): void {
    this.stage.truth.note({ event: 'blamed', ...read(member), cause });
  }
}

function letters(many: number): string {
  return [...randomBytes(many)].map((byte) => String.fromCharCode(97 + (byte % 26))).join('');
}

function queueOf(channel: string): string {
  return `chat${channel.slice(0, channel.indexOf('!') + 1)}`;
}

function memberFor(recipient: string, message: Message): Uint8Array {
  return encode({ ...message, [RECIPIENTS_KEY]: recipient });
}

function read(member: Buffer): { readonly message: string; readonly channel: string } {
  const decoded = decodeMessage(member);
  const channel = decoded.ok ? recipientsOf(decoded.message)?.[0] : undefined;
  if (!decoded.ok || channel === undefined)
    throw new Error('a scenario sent what is no message of channels_redis 2');
  return { message: idOf(decoded.message), channel };
}
