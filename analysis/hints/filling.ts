/**
 * How much a queue held at the most: what `ZCOUNT K` answered to a `send`, or what the queue held for certain when a message was put there
 * (../queue-model.ts). The capacity is in the script of group_send.
 */
import type { Evidence } from '../evidence.js';
import type { QueueHistory } from '../journey.js';
import type { Mark } from '../mark.js';

const NEAR = 0.8;

interface Depth {
  readonly depth: number;
  readonly mark: Mark;
  readonly source: string;
}

/** How much a queue held at the most. */
export interface Filling extends Depth {
  readonly capacity: number;
}

export function fullest(queue: QueueHistory, evidence: Evidence): Filling | null {
  const capacity = capacityOf(queue);
  const deepest = [...counted(queue), ...rebuilt(queue, evidence)].reduce(
    (most: Depth | null, one) => (most && most.depth >= one.depth ? most : one),
    null,
  );
  return capacity === null || !deepest ? null : { capacity, ...deepest };
}

export function isNear(depth: number, capacity: number): boolean {
  return depth >= NEAR * capacity;
}

function capacityOf({ journeys }: QueueHistory): number | null {
  const known = journeys.flatMap(({ enqueues }) => enqueues.flatMap(({ capacity }) => capacity ?? []));
  return known.length === 0 ? null : known.reduce((least, one) => Math.min(least, one));
}

function counted({ upkeep }: QueueHistory): Depth[] {
  return upkeep.flatMap((each) =>
    each.does === 'count' && each.held !== null
      ? [{ depth: each.held, mark: each, source: 'counted by Redis' }]
      : [],
  );
}

/** After each enqueue: what was there for certain, and the message itself. What a hole hides may have taken some. */
function rebuilt(queue: QueueHistory, evidence: Evidence): Depth[] {
  const model = evidence.models.of(queue.name);
  const source = 'from the trace: put there and not yet taken';
  return queue.journeys.flatMap((journey) =>
    journey.enqueues.flatMap((mark) => {
      if (mark.acceptance !== 'accepted') return [];
      const [hidden] = evidence.holesHidingWhatWaits(queue.name, { fromUs: 0, toUs: mark.requestedUs });
      return hidden ? [] : [{ depth: model.holding(mark, journey).atLeast + 1, mark, source }];
    }),
  );
}
