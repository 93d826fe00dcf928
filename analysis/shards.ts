/**
 * Several Redis hosts: is a message where its process looks? The host of a process's queue never changes while its layer lives, so one
 * receive step shows it; where nothing ever received from the queue on the host of the message, the question is open.
 */
import type { Evidence } from './evidence.js';
import type { Enqueue, Journey, Mark, QueueHistory } from './journey.js';
import { isProcessQueue } from './profiles/channel-layer.js';

/**
 * Sent to one channel of a process, on a host where nobody ever received from its queue and no group_send, which chooses
 * the host as `receive` does, put anything into it.
 */
export function mayBeOnTheWrongHost({ enqueues }: Journey, queue: QueueHistory): boolean {
  return (
    isProcessQueue(queue.key) &&
    queue.receives.length === 0 &&
    enqueues.every(({ by }) => by === 'send') &&
    !queue.journeys.some((other) => other.enqueues.some(({ by }) => by === 'group_send'))
  );
}

/** A receive step of the same key on another host, after the message was put on this one; null where none is known. */
export function homeOf(enqueue: Enqueue, queue: QueueHistory, evidence: Evidence): Mark | null {
  const sentUs = enqueue.repliedUs ?? enqueue.requestedUs;
  for (const other of evidence.journeys.queues.values()) {
    if (other === queue || other.key !== queue.key) continue;
    const later = other.receives.find((mark) => mark.requestedUs > sentUs);
    if (later) return later;
  }
  return null;
}
