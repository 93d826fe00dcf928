/**
 * Evidence that a message is not in its queue, though no pop of it is in the trace: since a moment at which it was there, if ever, the queue
 * was found empty, or counted none, or a message with a later score came first (BZPOPMIN takes the lowest).
 */
import { FirstFitting } from './first-fitting.js';
import type { Journey, Mark, QueueHistory } from './journey.js';
import { countWhile } from './moment.js';

export interface ShownGone {
  readonly mark: Mark;
  /** A clause, with the operation by number. */
  readonly why: string;
}

/** The first operation after `sinceUs` that shows it; null where it may be there still. */
export function shownGone(journey: Journey, sinceUs: number, queue: QueueHistory): ShownGone | null {
  const { empty, pops } = sightsOf(queue);
  const none = empty[countWhile(empty, ({ requestedUs }) => requestedUs <= sinceUs)];
  const score = journey.enqueues.at(-1)?.score ?? Number.POSITIVE_INFINITY;
  const overtaker = pops.first(
    (requestedUs = 0, popped = 0) => requestedUs > sinceUs && !(popped <= score),
  )?.mark;
  if (overtaker && (!none || overtaker.requestedUs < none.requestedUs))
    return {
      mark: overtaker,
      why: `it was not popped, yet operation ${overtaker.id} brought a later message`,
    };
  if (!none) return null;
  const how =
    none.command === 'ZCOUNT' || none.command === 'ZCARD'
      ? 'counted nothing in its queue'
      : 'found its queue empty';
  return { mark: none, why: `it was not popped, yet operation ${none.id} ${how}` };
}

interface ScoredPop {
  readonly mark: Mark;
  readonly score: number;
}

/** What a queue's history shows of this kind, in the order of requests. */
interface Sights {
  /** Polls and counts that found nothing. */
  readonly empty: readonly Mark[];
  readonly pops: FirstFitting<ScoredPop>;
}

/** Worked out once a queue: a queue that nobody receives from is asked about for every message that waits in it. */
const SIGHTS = new WeakMap<QueueHistory, Sights>();

function sightsOf(queue: QueueHistory): Sights {
  let sights = SIGHTS.get(queue);
  if (!sights) {
    const none = queue.upkeep.filter((each) => each.does === 'count' && each.held === 0);
    const empty = [...queue.emptyPolls, ...none].sort((a, b) => a.requestedUs - b.requestedUs);
    const pops = queue.journeys.flatMap(({ enqueues, pops }) => {
      const score = enqueues.at(-1)?.score;
      return score === undefined ? [] : pops.map((mark) => ({ mark, score }));
    });
    pops.sort((a, b) => a.mark.requestedUs - b.mark.requestedUs);
    // A pop from a list has no score: it may be of a later message.
    const numbersOf = ({ mark, score }: ScoredPop) => [
      mark.requestedUs,
      Number.isNaN(score) ? Number.POSITIVE_INFINITY : score,
    ];
    sights = { empty, pops: new FirstFitting(pops, numbersOf) };
    SIGHTS.set(queue, sights);
  }
  return sights;
}
