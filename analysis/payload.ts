/**
 * Who sent a message, and which one it was: read from the member's payload. By default `my_id` and `count` in the JSON
 * text of `text_data`, as the chat protocol has it; other applications name their own fields.
 */
import { decodeMember, decodeMessage, type Message, recipientsOf } from '../server/layers/message.js';

export interface PayloadFields {
  /** Dots descend, also into JSON held in a string. Looked up from the message's top, then from inside `text_data`. */
  readonly sender: string;
  readonly count: string;
  /** Where a message names the channel of the consumer that sent it. */
  readonly channel: string;
}

export const DEFAULT_FIELDS: PayloadFields = {
  sender: 'text_data.my_id',
  count: 'text_data.count',
  channel: 'sender_channel_name',
};

export interface Payload {
  readonly sender: string | null;
  readonly count: number | null;
  /** The channel of the consumer that sent it. */
  readonly channel: string | null;
  /** The channels of the process that it is for; null where it does not say (encrypted, or another format). */
  readonly recipients: readonly string[] | null;
  /** A short look at what it says, for a person; null where it cannot be read. */
  readonly excerpt: string | null;
}

/** What is encrypted, or of another format. */
export const UNREADABLE: Payload = {
  sender: null,
  count: null,
  channel: null,
  recipients: null,
  excerpt: null,
};

export function readPayload(member: Buffer, fields: PayloadFields = DEFAULT_FIELDS): Payload {
  const decoded = decodeMember(member);
  // Before channels_redis 3 a member has no random start.
  const whole = decoded.ok ? decoded : decodeMessage(member);
  return whole.ok ? payloadOf(whole.message, fields) : UNREADABLE;
}

/** What the pub/sub layer publishes: no random bytes come first, and it does not say who it is for. Null: no msgpack of a message. */
export function readPublished(bytes: Buffer, fields: PayloadFields = DEFAULT_FIELDS): Payload | null {
  const decoded = decodeMessage(bytes);
  return decoded.ok ? payloadOf(decoded.message, fields) : null;
}

function payloadOf(message: Message, fields: PayloadFields): Payload {
  const sender = field(message, fields.sender);
  const count = field(message, fields.count);
  const channel = field(message, fields.channel);
  return {
    sender:
      typeof sender === 'string'
        ? sender
        : typeof sender === 'number' || typeof sender === 'bigint'
          ? String(sender)
          : null,
    count: typeof count === 'bigint' ? Number(count) : Number.isInteger(count) ? (count as number) : null,
    channel: typeof channel === 'string' ? channel : null,
    recipients: recipientsOf(message),
    excerpt: excerpt(message),
  };
}

function field(message: Message, path: string): unknown {
  const found = descend(message, path.split('.'));
  return found !== undefined ? found : descend(message, ['text_data', ...path.split('.')]);
}

function descend(value: unknown, path: readonly string[]): unknown {
  let at = value;
  for (const name of path) {
    if (typeof at === 'string') at = parsed(at);
    if (at === null || typeof at !== 'object' || !Object.hasOwn(at, name)) return undefined;
    at = (at as Record<string, unknown>)[name];
  }
  return at;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // text that is not JSON has no fields
  }
}

function excerpt(message: Message): string {
  const text = typeof message.text_data === 'string' ? message.text_data : null;
  const shown = text ?? `type ${String(message.type)}`;
  return shown.length > 100 ? `${shown.slice(0, 99)}…` : shown;
}
