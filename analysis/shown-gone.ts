/**
 * Evidence that a message is not in its queue, though no pop of it is in the trace: since a moment at which it was there, if ever, the queue
 * was found empty, or counted none, or a message with a later score came first (BZPOPMIN takes the lowest).
 */
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
  let after = countWhile(pops, ({ mark }) => mark.requestedUs <= sinceUs);
  while (after < pops.length && (pops[after] as ScoredPop).score <= score) after++;
  const overtaker = pops[after]?.mark;
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
  readonly pops: readonly ScoredPop[];
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
    sights = { empty, pops: pops.sort((a, b) => a.mark.requestedUs - b.mark.requestedUs) };
    SIGHTS.set(queue, sights);
  }
  return sights;
}
