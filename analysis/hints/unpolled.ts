/**
 * When did nobody ask for a queue's messages though some waited for somebody? In the stalls of its process (../readers.ts), as long as
 * a connection of it is seen open, so that a process that ended does not count as one that stalls. Messages whose recipients
 * have all left do not count: nobody is there who would poll.
 */
import type { Evidence } from '../evidence.js';
import type { Enqueue, Journey, QueueHistory } from '../journey.js';
import type { Mark } from '../mark.js';
import { firstSince } from '../moment.js';
import { isProcessQueue } from '../profiles/channel-layer.js';
import type { Stall } from '../readers.js';

export interface UnpolledSpan extends Stall {
  readonly queue: QueueHistory;
  /** The receive step after it; null: none came to the end of the trace. */
  readonly next: Mark | null;
  /** The enqueues of the messages that came in it and waited, the first first; never empty. */
  readonly waiting: readonly Enqueue[];
  /** How long the first waited. */
  readonly waitedUs: number;
}

export function unpolledSpans(evidence: Evidence): UnpolledSpan[] {
  return [...evidence.journeys.queues.values()].flatMap((queue) => spansOf(queue, evidence));
}

function spansOf(queue: QueueHistory, evidence: Evidence): UnpolledSpan[] {
  /** By the receive step before it. */
  const stalls = new Map<number, { readonly stall: Stall; readonly waiting: Enqueue[] }>();
  for (const journey of queue.journeys) {
    const enqueue = journey.enqueues.find(({ acceptance }) => acceptance === 'accepted');
    const stall = enqueue && evidence.readers.stallAt(queue, enqueue.requestedUs);
    if (!stall || !isWaited(journey, stall, evidence)) continue;
    const known = stalls.get(stall.last.id);
    if (known) known.waiting.push(enqueue);
    else stalls.set(stall.last.id, { stall, waiting: [enqueue] });
  }
  return [...stalls.values()].flatMap(({ stall, waiting }) => spanOf(queue, stall, waiting, evidence) ?? []);
}

function spanOf(
  queue: QueueHistory,
  stall: Stall,
  waiting: Enqueue[],
  evidence: Evidence,
): UnpolledSpan | null {
  const closedUs = evidence.connections.get(stall.open)?.closedUs ?? Number.POSITIVE_INFINITY;
  const toUs = Math.min(stall.toUs, closedUs);
  const { fromUs } = stall;
  if (evidence.isHidden(queue.name, { fromUs, toUs })) return null;
  waiting.sort((a, b) => a.requestedUs - b.requestedUs);
  const [first] = waiting as [Enqueue];
  const next = queue.receives[firstSince(queue.receives, stall.toUs)] ?? null;
  return {
    ...stall,
    ...{ toUs, queue, next, waiting },
    waitedUs: toUs - (first.repliedUs ?? first.requestedUs),
  };
}

/** Was somebody still there, to the end of the stall, for whom this message is? */
function isWaited({ queue, payload }: Journey, { toUs }: Stall, evidence: Evidence): boolean {
  const present = evidence.present(payload.recipients, toUs);
  return present === null ? !isProcessQueue(queue) : present.length > 0;
}
