/**
 * Several Redis hosts: is a message where its process looks? The host of a process's queue never changes while its layer lives, so one
 * receive step shows it; where nothing ever received from the queue on the host of the message, the question is open.
 */
import { append } from './append.js';
import type { Evidence } from './evidence.js';
import type { Enqueue, Journey, Mark, QueueHistory } from './journey.js';
import { countWhile } from './moment.js';
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
    !isSentToByGroups(queue)
  );
}

const BY_GROUPS = new WeakMap<QueueHistory, boolean>();

function isSentToByGroups(queue: QueueHistory): boolean {
  let known = BY_GROUPS.get(queue);
  if (known === undefined) {
    known = queue.journeys.some(({ enqueues }) => enqueues.some(({ by }) => by === 'group_send'));
    BY_GROUPS.set(queue, known);
  }
  return known;
}

const BY_KEY = new WeakMap<Evidence, Map<string, QueueHistory[]>>();

/** The queues of one key, on whichever host. */
function withKey(key: string, evidence: Evidence): readonly QueueHistory[] {
  let byKey = BY_KEY.get(evidence);
  if (!byKey) {
    byKey = new Map();
    for (const queue of evidence.journeys.queues.values()) append(byKey, queue.key, queue);
    BY_KEY.set(evidence, byKey);
  }
  return byKey.get(key) ?? [];
}

/** A receive step of the same key on another host, after the message was put on this one; null where none is known. */
export function homeOf(enqueue: Enqueue, queue: QueueHistory, evidence: Evidence): Mark | null {
  const sentUs = enqueue.repliedUs ?? enqueue.requestedUs;
  for (const other of withKey(queue.key, evidence)) {
    if (other === queue) continue;
    const later = other.receives[countWhile(other.receives, ({ requestedUs }) => requestedUs <= sentUs)];
    if (later) return later;
  }
  return null;
}
