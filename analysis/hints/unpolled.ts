/**
 * When did nobody ask for a queue's messages though some waited for somebody? In the stalls of its process (../readers.ts), as long as
 * a connection of it is seen open, so that a process that ended does not count as one that stalls. Messages whose recipients
 * have all left do not count: nobody is there who would poll.
 */
import type { Evidence } from '../evidence.js';
import type { Enqueue, QueueHistory } from '../journey.js';
import type { Mark } from '../mark.js';
import { isProcessQueue } from '../profiles/channel-layer.js';
import type { Stall } from '../readers.js';

/** The enqueue of a message that waited. */
export type Waiting = Pick<Enqueue, keyof Mark | 'expiry'>;

export interface UnpolledSpan extends Stall {
  readonly queue: QueueHistory;
  /** The enqueues of the messages that came in it and waited, the first first; never empty. */
  readonly waiting: readonly Waiting[];
  /** How long the first waited. */
  readonly waitedUs: number;
}

/** A message that was put into a queue while nobody polled it. */
export interface SentInStall {
  readonly stall: Stall;
  readonly enqueue: Waiting;
  readonly recipients: readonly string[] | null;
}

/** Of a whole trace. */
export function unpolledSpans(evidence: Evidence): UnpolledSpan[] {
  return [...evidence.journeys.queues.values()].flatMap((queue) =>
    unpolledSpansOf(queue, sentInStalls(queue, evidence), evidence),
  );
}

function* sentInStalls(queue: QueueHistory, evidence: Evidence): Generator<SentInStall> {
  for (const { enqueues, payload } of queue.journeys) {
    const enqueue = enqueues.find(({ acceptance }) => acceptance === 'accepted');
    const stall = enqueue && evidence.readers.stallAt(queue, enqueue.requestedUs);
    if (stall) yield { stall, enqueue, recipients: payload.recipients };
  }
}

/** Of one queue. `sent` in the order in which the messages are first seen. */
export function unpolledSpansOf(
  queue: QueueHistory,
  sent: Iterable<SentInStall>,
  evidence: Evidence,
): UnpolledSpan[] {
  /** By the receive step before it. */
  const stalls = new Map<number, { readonly stall: Stall; readonly waiting: Waiting[] }>();
  for (const { stall, enqueue, recipients } of sent) {
    if (!isWaited(queue.name, recipients, stall, evidence)) continue;
    const known = stalls.get(stall.last.id);
    if (known) known.waiting.push(enqueue);
    else stalls.set(stall.last.id, { stall, waiting: [enqueue] });
  }
  return [...stalls.values()].flatMap(({ stall, waiting }) => spanOf(queue, stall, waiting, evidence) ?? []);
}

function spanOf(
  queue: QueueHistory,
  stall: Stall,
  waiting: Waiting[],
  evidence: Evidence,
): UnpolledSpan | null {
  const closedUs = evidence.connections.get(stall.open)?.closedUs ?? Number.POSITIVE_INFINITY;
  const toUs = Math.min(stall.toUs, closedUs);
  const { fromUs } = stall;
  if (evidence.isHidden(queue.name, { fromUs, toUs })) return null;
  waiting.sort((a, b) => a.requestedUs - b.requestedUs);
  const [first] = waiting as [Waiting];
  return {
    ...stall,
    ...{ toUs, queue, waiting },
    waitedUs: toUs - (first.repliedUs ?? first.requestedUs),
  };
}

/** Was somebody still there, to the end of the stall, for whom this message is? */
function isWaited(
  queue: string,
  recipients: readonly string[] | null,
  { toUs }: Stall,
  evidence: Evidence,
): boolean {
  const present = evidence.present(recipients, toUs);
  return present === null ? !isProcessQueue(queue) : present.length > 0;
}
