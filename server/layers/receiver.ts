/** How a `redis` layer gets messages out of its queues: what the two strategies have in common. */
import type { Message } from './layer.js';
import { decodeMember, RECIPIENTS_KEY, recipientsOf } from './message.js';
import type { LayerSettings } from './options.js';
import type { RedisPool } from './pool.js';

export interface Receiver {
  /** The next message of a channel, which is `queueName`'s or, when general, is that itself. Rejects with `signal.reason` once that is aborted. */
  receive(channel: string, queueName: string, signal: AbortSignal): Promise<Message>;
  /** Resolves when every message handed on is acknowledged. */
  settle(): Promise<void>;
  /** Ends what it does by itself. */
  close(): Promise<void>;
}

/** What a receiver is made of. */
export interface ReceiverParts {
  readonly pools: readonly RedisPool[];
  readonly settings: LayerSettings;
}

/** A message out of a queue, and the channels in it; null for a general channel's, which names none. */
export interface Received {
  readonly message: Message;
  readonly recipients: readonly string[] | null;
}

/** Reads a member. What is none, or is encrypted, is null and said in a notice: nobody here can have it. */
export function readMember(member: Uint8Array, queue: string, { notice }: LayerSettings): Received | null {
  const decoded = decodeMember(member);
  if (decoded.ok) {
    const { [RECIPIENTS_KEY]: _, ...message } = decoded.message;
    return { message, recipients: recipientsOf(decoded.message) };
  }
  notice({
    event: 'unreadable',
    level: 'warn',
    message: `a message of ${queue} cannot be read and is dropped: ${decoded.reason}`,
  });
  return null;
}
