/**
 * When did nobody ask for a queue's messages though some waited for somebody? Between the end of one receive step and the begin of
 * the next; as long as a connection that polls the queue is open, so that a process that ended does not count as one that
 * stalls. Messages whose recipients have all left do not count: nobody is there who would poll.
 */
import type { Evidence } from '../evidence.js';
import type { Enqueue, Journey, Mark, QueueHistory } from '../journey.js';
import { isProcessQueue } from '../profiles/channel-layer.js';

export interface UnpolledSpan {
  readonly queue: QueueHistory;
  readonly fromUs: number;
  readonly toUs: number;
  /** The receive steps before and after it; null: none came to the end of the trace. */
  readonly last: Mark;
  readonly next: Mark | null;
  /** The enqueues of the messages that waited, the one that waited longest first; never empty. */
  readonly waiting: readonly Enqueue[];
  /** How long that one waited within the span. */
  readonly waitedUs: number;
}

/** A process does other things, too: no message that waited for less than this is worth a word. */
const LONG_US = 1_000_000;

/** Every such span in which a message waited for more than a second. */
export function unpolledSpans(evidence: Evidence): UnpolledSpan[] {
  return [...evidence.journeys.queues.values()].flatMap((queue) => spansOf(queue, evidence));
}

function spansOf(queue: QueueHistory, evidence: Evidence): UnpolledSpan[] {
  const receives = [...queue.receives].sort((a, b) => a.requestedUs - b.requestedUs);
  const closed = (mark: Mark) => evidence.connections.get(mark.connection)?.closedUs ?? evidence.endUs;
  const aliveUntilUs = Math.max(...receives.map(closed));
  const spans: UnpolledSpan[] = [];
  let busyUntilUs = Number.NEGATIVE_INFINITY;
  for (const [at, last] of receives.entries()) {
    busyUntilUs = Math.max(busyUntilUs, last.repliedUs ?? closed(last));
    const next = receives[at + 1] ?? null;
    const toUs = Math.min(next?.requestedUs ?? evidence.endUs, aliveUntilUs);
    if (toUs - busyUntilUs <= LONG_US) continue;
    const span = spanOf({ queue, fromUs: busyUntilUs, toUs, last, next }, evidence);
    if (span && span.waitedUs > LONG_US) spans.push(span);
  }
  return spans;
}

function spanOf(span: Omit<UnpolledSpan, 'waiting' | 'waitedUs'>, evidence: Evidence): UnpolledSpan | null {
  const { queue, fromUs, toUs } = span;
  if (evidence.holesHiding(queue.name, { fromUs, toUs }).length > 0) return null;
  const waiting = queue.journeys
    .flatMap((journey) => waitingEnqueue(journey, fromUs, toUs, evidence) ?? [])
    .sort((a, b) => a.requestedUs - b.requestedUs);
  const [longest] = waiting;
  if (!longest) return null;
  return { ...span, waiting, waitedUs: toUs - Math.max(fromUs, longest.repliedUs ?? longest.requestedUs) };
}

/** The enqueue of a message that was in the queue at the end of the span for somebody who was still there. */
function waitingEnqueue(
  { queue, payload, enqueues, pops }: Journey,
  fromUs: number,
  toUs: number,
  evidence: Evidence,
): Enqueue | null {
  const enqueue = enqueues.find(({ acceptance }) => acceptance === 'accepted');
  if (!enqueue || enqueue.requestedUs >= toUs) return null;
  const [pop] = pops;
  // Never popped, and sent before the span: it may have been gone by then.
  if (pop ? pop.requestedUs < toUs : enqueue.requestedUs < fromUs) return null;
  const present = evidence.present(payload.recipients, toUs);
  return (present === null ? !isProcessQueue(queue) : present.length > 0) ? enqueue : null;
}
