import type { ReplyKind } from './reply.js';

/**
 * One request on a connection and, once it has come, its reply. Made by a Conversation when the request is whole;
 * filled in as the reply is read and handed on. All times are microseconds since the trace's start.
 */
export interface Operation {
  /** Number in the order in which whole requests were read, over all connections of the trace, from 1. */
  readonly id: number;
  /** Position among the requests of its connection, from 1. */
  readonly sequence: number;
  /** Upper case, without a subcommand: `ZADD`, `CLIENT`. '' where the request was too mangled to tell. */
  readonly command: string;
  /** The frame as it was sent (secrets blanked), cut at the keep limit. */
  request: Buffer;
  /** Length of the whole frame on the wire. */
  readonly requestLength: number;
  /** When the last byte of the request was read from the client. */
  readonly requestedUs: number;
  /** Replies to earlier requests of this connection that had not been handed to the client when this one was read. */
  readonly owed: number;
  /** Was it in one chunk with the request before it (a pipeline, as the client wrote it)? */
  readonly pipelined: boolean;
  /**
   * `sequence` of the MULTI that this request was queued under (MULTI, EXEC and DISCARD themselves included), or null. While the reply
   * is owed, as the requests have it; then as Redis had it (a MULTI that was refused opens nothing).
   */
  transaction: number | null;
  /** Each key the request touches, in order, repeats included. */
  keys: readonly Buffer[];
  /** Byte ranges blanked in it as secrets: how many bytes. 0 for almost all. */
  readonly redactedBytes: number;

  /** 'none' for a request that Redis does not answer (CLIENT REPLY OFF, SKIP); null while the reply is owed. */
  replyKind: ReplyKind | 'none' | null;
  /** The reply as it was read (for SUBSCRIBE of several channels all its confirmations, one after the other), cut at the keep limit. */
  reply: Buffer | null;
  replyLength: number;
  /** When the last byte of the reply was read from Redis. */
  repliedUs: number | null;
  /** When the last byte of the reply was handed to the client's kernel. Null: not yet, or never. */
  flushedUs: number | null;
}

/** One message that Redis sent without being asked on that connection: pub/sub, invalidation, MONITOR line, or a stray reply. */
export interface Push {
  readonly kind: 'message' | 'pmessage' | 'smessage' | 'invalidate' | 'monitor' | 'unsolicited' | 'other';
  channel: Buffer | null;
  bytes: Buffer;
  readonly length: number;
  readonly receivedUs: number;
  flushedUs: number | null;
}

export type Direction = 'client' | 'redis';

/** What was not recorded or not understood. `toUs` null: from `fromUs` until the connection's end. */
export interface Hole {
  /** Number in the order of discovery, from 1. */
  readonly id: number;
  /** Whose bytes. Null: both directions. */
  readonly direction: Direction | null;
  /** Offset in that direction's byte stream. */
  readonly offset: number | null;
  bytes: number;
  readonly fromUs: number;
  toUs: number | null;
  /** A word: `unframed`, `dropped`, `cut`, `redacted`, `withheld`, `ambiguous`, `began-before`, `no-end-marker`… */
  readonly reason: string;
  readonly detail: string;
}

/** What the client says of itself, and what HELLO agreed on. Only what is known so far. */
export interface ClientFacts {
  respVersion?: 2 | 3;
  clientName?: string;
  libraryName?: string;
  libraryVersion?: string;
}
