/**
 * Did the client go on in step after a pop whose message it lost? The pop's reply was on its way to the client when the next request came, and
 * the wire cannot tell whether that was sent before the reply could be read. What follows can: a client that reads the pop's
 * reply for its own sends one more request before its own reply has reached it.
 */
import type { Mark } from '../journey.js';
import type { Beat } from '../out-of-step.js';

/** The second request after the pop, where it came before the reply to the first; undefined where the client waited for that. */
export function sentTooEarly([first, second]: readonly Beat[]): Beat | undefined {
  if (!first || !second || !first.answered || second.inTransaction) return undefined;
  return first.flushedUs === null || first.flushedUs > second.requestedUs ? second : undefined;
}

/** What a busy client may take to read a reply that has reached it: until then it may send a request without having seen it. */
const READ_WITHIN_US = 50_000;
/** So many requests must have waited for the reply to the one before them. One may only have been slow. */
const WAITED = 2;

/**
 * The request after the pop, where it came so soon that it may have been sent before the pop's reply was read, and too few followed it to show that the
 * client waits for its replies: one that reads the pop's reply for its own does not, but where it is slow, that does not show at once.
 */
export function perhapsUnread(pop: Mark, after: readonly Beat[]): Beat | undefined {
  const [first] = after;
  const readableUs = pop.flushedUs ?? pop.repliedUs ?? pop.requestedUs;
  if (!first || first.requestedUs - readableUs >= READ_WITHIN_US) return undefined;
  const waited = after.filter((beat, at) => at > 0 && waitedFor(after[at - 1] as Beat, beat));
  return waited.length < WAITED ? first : undefined;
}

function waitedFor(earlier: Beat, { requestedUs, pipelined, inTransaction }: Beat): boolean {
  const { answered, flushedUs } = earlier;
  return !pipelined && !inTransaction && answered && flushedUs !== null && flushedUs <= requestedUs;
}
