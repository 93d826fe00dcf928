/**
 * Did the client go on in step after a pop whose message it lost? The pop's reply was on its way to the client when the next request came, and
 * the wire cannot tell whether that was sent before the reply could be read. What follows can: a client that reads the pop's
 * reply for its own sends one more request before its own reply has reached it.
 */
import type { Beat } from '../out-of-step.js';

/** The second request after the pop, where it came before the reply to the first; undefined where the client waited for that. */
export function sentTooEarly([first, second]: readonly Beat[]): Beat | undefined {
  if (!first || !second || !first.answered || second.inTransaction) return undefined;
  return first.flushedUs === null || first.flushedUs > second.requestedUs ? second : undefined;
}
