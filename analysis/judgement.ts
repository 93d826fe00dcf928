/**
 * The verdict on one message in one place (a queue; for pub/sub a subscriber), whatever the layer: what findings, audit and
 * counts are made of.
 */
import type { Citation } from './causes/cause.js';
import type { Mark } from './journey.js';
import type { Payload } from './payload.js';
import type { Verdict } from './verdict.js';

/** An operation of the message's journey. */
export interface Waypoint {
  /** `enqueue`, `pop`, `backup`, `acknowledge`, `next-receive`, `publish` …: what it was for the message. */
  readonly role: string;
  readonly mark: Mark;
  /** Commands that the script of this operation runs, by its shape: implied, not seen. */
  readonly implied?: readonly string[];
}

export interface Judgement {
  readonly payload: Payload;
  /** The queue; for pub/sub the Redis channel. */
  readonly queue: string;
  readonly member: Buffer;
  readonly verdict: Verdict;
  /** A cause's id; null where none is needed, or none is certain. */
  readonly cause: string | null;
  /** How it came there, a sentence each. */
  readonly story: readonly string[];
  /** A clause: why this verdict, with operations and connections by number. */
  readonly because: string;
  /** What follows from it for the recipients, a sentence each. */
  readonly consequences: readonly string[];
  readonly waypoints: readonly Waypoint[];
  /** Operations that the cause rests on. */
  readonly cites: readonly Citation[];
  /** What else the evidence allows: ids of causes, or verdicts. */
  readonly alternatives: readonly string[];
  /** Recipients who were still there; null where it is not known who it was for. */
  readonly present: readonly string[] | null;
  /** The connection that took it; null where none did. */
  readonly taker: number | null;
  /** When it ended there, microseconds: what losses are clustered by. */
  readonly atUs: number;
  /** The process that reads the queue, as its channels' names begin; null for a general channel. */
  readonly process: string | null;
}
