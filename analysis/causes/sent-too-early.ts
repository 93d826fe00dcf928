/**
 * Did the client go on in step after a pop whose message it lost? The pop's reply was on its way to the client when the next request came, and
 * the wire cannot tell whether that was sent before the reply could be read. What follows can: a client that reads the pop's
 * reply for its own sends one more request before its own reply has reached it.
 */
import type { Mark } from '../journey.js';
import { countWhile } from '../moment.js';
import { type Beat, inStepUs, lostPopsOf, readBefore } from '../out-of-step.js';
import type { PopConduct } from './cause.js';

/** Why the reply to a pop may have been read by a wrong caller, where no request shows that it was; null: the client went on in step. */
export function perhapsMisread(pop: Mark, { after, perhapsSince }: PopConduct): string | null {
  const early = sentTooEarly(after);
  if (early) return outOfStep(pop, `operation ${early.id} was sent before the reply to the one before it`);
  if (perhapsSince) return perhapsDesynced(pop, perhapsSince);
  const unread = perhapsUnread(pop, after);
  if (!unread) return null;
  return outOfStep(
    pop,
    `operation ${unread.id} came so soon that it may have been sent before this pop's reply was read`,
  );
}

/** `since`: the first pop that its client may have misread. */
export function perhapsDesynced(pop: Mark, since: Beat): string {
  return outOfStep(
    pop,
    `the reply to operation ${since.id}, which is lost too, may have been read by a wrong caller`,
  );
}

function outOfStep({ connection }: Mark, why: string): string {
  return `connection ${connection} may have been out of step: ${why}`;
}

/** The second request after the pop, where it came before the reply to the first; undefined where the client waited for that. */
function sentTooEarly([first, second]: readonly Beat[]): Beat | undefined {
  if (!first || !second || !first.answered || second.inTransaction) return undefined;
  return readBefore(first, second) ? undefined : second;
}

/** What a busy client may take to read a reply that has reached it: until then it may send a request without having seen it. */
const READ_WITHIN_US = 10_000;
/** So many requests must have waited for the reply to the one before them. One or two may only have been slow: `make accuracy` on a busy machine has both. */
const WAITED = 3;

/**
 * The request after the pop, where it came so soon that it may have been sent before the pop's reply was read, and too few followed it to show that the
 * client waits for its replies: one that reads the pop's reply for its own does not, but where it is slow, that does not show at once.
 */
function perhapsUnread(
  pop: Pick<Mark, 'requestedUs' | 'repliedUs' | 'flushedUs'>,
  after: readonly Beat[],
): Beat | undefined {
  const [first] = after;
  const readableUs = pop.flushedUs ?? pop.repliedUs ?? pop.requestedUs;
  if (!first || first.requestedUs - readableUs >= READ_WITHIN_US) return undefined;
  const waited = after.filter((beat, at) => at > 0 && waitedFor(after[at - 1] as Beat, beat));
  return waited.length < WAITED ? first : undefined;
}

function waitedFor(earlier: Beat, later: Beat): boolean {
  if (later.pipelined || (later.inTransaction && later.command !== 'MULTI')) return false;
  return earlier.answered && readBefore(earlier, later);
}

/** Enough to see a client wait for its replies, transactions and pipelines aside. */
const REQUESTS_AFTER = 16;

/** The first few requests of a connection that were read after the reply to one of them. */
export function requestsAfter(beats: readonly Beat[], popId: number, repliedUs: number): readonly Beat[] {
  const after = countWhile(beats, ({ id, requestedUs }) => id <= popId || requestedUs <= repliedUs);
  return beats.slice(after, after + REQUESTS_AFTER);
}

/** The lost pop before another one, of those since the connection was last seen to be in step, whose reply a wrong caller may have read. */
export function perhapsOutOfStep(beats: readonly Beat[], popId: number): Beat | undefined {
  const sinceUs = inStepUs(beats, popId);
  const lost = lostPopsOf(beats);
  for (let at = countWhile(lost, ({ id }) => id < popId) - 1; at >= 0; at--) {
    const beat = lost[at] as Beat;
    if (beat.requestedUs < sinceUs) return undefined;
    if (perhapsUnread(beat, requestsAfter(beats, beat.id, beat.repliedUs ?? beat.requestedUs))) return beat;
  }
  return undefined;
}
