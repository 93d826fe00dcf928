/** The reply, or the push, that recorded bytes hold; of several confirmations the first. Null: they cannot be read. */
import { decodeReplies, UndecodableReply } from '../wire/decode-reply.js';
import type { Reply } from '../wire/reply.js';

export function firstReply(bytes: Buffer): Reply | null {
  try {
    return decodeReplies(bytes)[0] ?? null;
  } catch (error) {
    if (error instanceof UndecodableReply) return null;
    throw error;
  }
}
