/**
 * A send that put two members for the same recipients into one queue. A layer makes one member for each queue, or in old versions one
 * for each recipient, so the second copy stands in the place of another recipient's (channels_redis#93).
 *
 * Of the copies the last one counts as misplaced. Where they are equal byte by byte, as in a list they may be, they are one journey.
 */
import type { Enqueue, Journey, QueueHistory } from './journey.js';

const known = new WeakMap<QueueHistory, ReadonlyMap<Journey, Enqueue>>();

/** The enqueue by which this journey is a copy; undefined where it is not. */
export function misplacedBy(journey: Journey, queue: QueueHistory): Enqueue | undefined {
  let misplaced = known.get(queue);
  if (!misplaced) {
    misplaced = copiesIn(queue);
    known.set(queue, misplaced);
  }
  return misplaced.get(journey);
}

function copiesIn(queue: QueueHistory): ReadonlyMap<Journey, Enqueue> {
  const copies = new Map<Journey, Enqueue>();
  const seen = new Set<string>();
  for (const journey of queue.journeys) {
    const { recipients } = journey.payload;
    if (recipients === null) continue;
    for (const enqueue of journey.enqueues) {
      const delivery = `${enqueue.id} ${[...recipients].sort().join(' ')}`;
      if (seen.has(delivery)) copies.set(journey, enqueue);
      seen.add(delivery);
    }
  }
  return copies;
}
