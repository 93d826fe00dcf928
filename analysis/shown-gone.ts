/**
 * Evidence that a message is not in its queue, though no pop of it is in the trace: since a moment at which it was there, if ever, the queue
 * was found empty, or counted none, or a message with a later score came first (BZPOPMIN takes the lowest).
 */
import type { Journey, Mark, QueueHistory } from './journey.js';

export interface ShownGone {
  readonly mark: Mark;
  /** A clause, with the operation by number. */
  readonly why: string;
}

/** The first operation after `sinceUs` that shows it; null where it may be there still. */
export function shownGone(journey: Journey, sinceUs: number, queue: QueueHistory): ShownGone | null {
  const later = (mark: Mark) => mark.requestedUs > sinceUs;
  const empty = queue.emptyPolls.find(later);
  const none = queue.upkeep.find((each) => each.does === 'count' && each.held === 0 && later(each));
  const found = [
    empty && { mark: empty, why: `operation ${empty.id} found its queue empty` },
    none && { mark: none, why: `operation ${none.id} counted nothing in its queue` },
    overtaken(journey, sinceUs, queue),
  ].filter((each) => each != null);
  const [first] = found.sort((a, b) => a.mark.requestedUs - b.mark.requestedUs);
  return first ? { mark: first.mark, why: `it was not popped, yet ${first.why}` } : null;
}

function overtaken(journey: Journey, sinceUs: number, queue: QueueHistory): ShownGone | null {
  const score = journey.enqueues.at(-1)?.score;
  if (score === undefined) return null;
  let first: Mark | null = null;
  for (const { enqueues, pops } of queue.journeys) {
    if ((enqueues.at(-1)?.score ?? Number.NEGATIVE_INFINITY) <= score) continue;
    for (const pop of pops)
      if (pop.requestedUs > sinceUs && (first === null || pop.requestedUs < first.requestedUs)) first = pop;
  }
  return first && { mark: first, why: `operation ${first.id} brought a later message` };
}
