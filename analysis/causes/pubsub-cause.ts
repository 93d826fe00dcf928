/**
 * A cause of the pub/sub layer: as in cause.ts, but what is looked at is one published message and one subscriber of it (or, where
 * there was none, nobody).
 */
import type { Evidence } from '../evidence.js';
import type { PubSubEnd } from '../pubsub/ending.js';
import type { Publication } from '../pubsub/facts.js';
import type { Examination, Meaning } from './cause.js';

export interface PubSubCase<Of extends PubSubEnd = PubSubEnd> {
  readonly publication: Publication;
  readonly end: Of;
  readonly evidence: Evidence;
  /** A client says that it never got it. */
  readonly missed: boolean;
  /** The same sender and count were published under another name, and fared differently: which of them the client means is not known. */
  readonly sameElsewhere: boolean;
}

export interface PubSubCause<Of extends PubSubEnd = PubSubEnd> extends Meaning {
  examine(example: PubSubCase<Of>): Examination;
}
