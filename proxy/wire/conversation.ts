/**
 * One connection's two byte streams into operations, pushes, holes and what the client says of itself.
 */
import type { DroppedBody } from '../tape.js';
import type { ClientFacts, Hole, Operation, Push } from './operation.js';

export const DEFAULT_KEEP_BYTES = 1 << 20;

/** Where a conversation's facts go. Everything handed over may be kept: it does not alias the chunks. */
export interface ConversationSink {
  nextOperationId(): number;
  nextHoleId(): number;
  /** Settled: replied and handed to the client, or no reply is owed or can be told any more. */
  operation(operation: Operation): void;
  /** Handed to the client, or the connection ended. */
  push(push: Push): void;
  /** Final: it does not grow any more. */
  hole(hole: Hole): void;
  /** All that is known so far, each time something is learnt. */
  facts(facts: ClientFacts): void;
}

export interface ConversationOptions {
  /** Bytes kept of each request and of each reply; the rest is skipped, and a hole `cut` says so. Default 1 MiB. */
  readonly keepBytes?: number;
  /** The connection was open before the recording began: what is outstanding, its mode and its frame borders are not known. */
  readonly beganBefore?: boolean;
}

/** Plain data, for v8.serialize or structuredClone; opaque to everybody else. */
export interface ConversationState {
  readonly version: 1;
}

export class Conversation {
  constructor(_sink: ConversationSink, _options: ConversationOptions = {}) {}
  static restore(
    sink: ConversationSink,
    options: ConversationOptions,
    _state: ConversationState,
  ): Conversation {
    return new Conversation(sink, options);
  }
  /** Bytes read from the client, in order. The chunk may be reused after the call. */
  clientBytes(_chunk: Buffer, _atUs: number): void {}
  /** Bytes read from Redis, in order. `flushed`: they, and all before them, were handed to the client's kernel at `atUs`. */
  redisBytes(_chunk: Buffer, _atUs: number, _flushed: boolean): void {}
  /** How many of all bytes read from Redis have been handed to the client's kernel by `atUs`. */
  flushed(_totalBytes: number, _atUs: number): void {}
  /**
   * Bytes that are missing from the tape, at this place of both streams. A direction that lacks bytes is opaque from
   * here to its end; a hole with `reason` says so, and grows with what follows (also with later calls).
   */
  dropped(_body: DroppedBody): void {}
  /** Both sides are closed. Whatever is outstanding goes to the sink as it is; nothing may be called after it. */
  ended(_atUs: number): void {}
  /** Requests read whose reply, or its flush, is still awaited; in the order of their sequence. */
  outstanding(): readonly Operation[] {
    return [];
  }
  /** Holes that still grow. */
  openHoles(): readonly Hole[] {
    return [];
  }
  /** Pushes read but not yet handed to the client. */
  pendingPushes(): readonly Push[] {
    return [];
  }
  facts(): ClientFacts {
    return {};
  }
  save(): ConversationState {
    return { version: 1 };
  }
}
