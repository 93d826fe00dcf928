/**
 * Which queues of a group_send were full. Its script says how many, not which; the capacities are in its arguments, and what each queue held
 * has two bounds (queue-model.ts). A queue is called full, or not, only where the bounds decide it, or where the others leave no
 * choice: of two queues one is full, and the other's message was popped.
 */
import type { Enqueue, Journey, QueueHistory } from './journey.js';
import type { Bounds, QueueModels } from './queue-model.js';

export interface Fullness {
  readonly was: 'full' | 'not-full' | 'unknown';
  /** What it held when the script ran. */
  readonly bounds: Bounds;
  /** Of how many queues, and how many of them full. */
  readonly queues: number;
}

interface Target {
  readonly enqueue: Enqueue;
  readonly journey: Journey;
  readonly queue: QueueHistory;
}

type IsHidden = (queue: string, span: { readonly fromUs: number; readonly toUs: number }) => boolean;

export class FullQueues {
  readonly #models: QueueModels;
  readonly #isHidden: IsHidden;
  /** The queues of each script that left it open, by operation. */
  readonly #targets = new Map<number, Target[]>();
  readonly #decided = new Map<Enqueue, Fullness>();

  constructor(queues: ReadonlyMap<string, QueueHistory>, models: QueueModels, isHidden: IsHidden) {
    this.#models = models;
    this.#isHidden = isHidden;
    for (const queue of queues.values())
      for (const journey of queue.journeys)
        for (const enqueue of journey.enqueues) {
          if (enqueue.acceptance !== 'unsure') continue;
          const targets = this.#targets.get(enqueue.id);
          if (targets) targets.push({ enqueue, journey, queue });
          else this.#targets.set(enqueue.id, [{ enqueue, journey, queue }]);
        }
  }

  /** Of an enqueue that is `unsure`; null of any other. */
  of(enqueue: Enqueue): Fullness | null {
    if (enqueue.acceptance !== 'unsure') return null;
    if (!this.#decided.has(enqueue)) this.#decide(this.#targets.get(enqueue.id) ?? [], enqueue.full ?? 0);
    return this.#decided.get(enqueue) ?? null;
  }

  #decide(targets: readonly Target[], full: number): void {
    const looked = targets.map((target) => ({ target, ...this.#look(target) }));
    const count = (was: Fullness['was']) => looked.filter((each) => each.was === was).length;
    const allFullKnown = count('full') === full;
    const allOthersKnown = targets.length - count('not-full') === full;
    // More full than the script found, or fewer that can be: what the trace shows of these queues is not all.
    const contradictory = count('full') > full || targets.length - count('not-full') < full;
    for (const { target, was, bounds } of looked) {
      const settled =
        was !== 'unknown' || contradictory ? was : allFullKnown ? 'not-full' : allOthersKnown ? 'full' : was;
      this.#decided.set(target.enqueue, {
        was: contradictory ? 'unknown' : settled,
        bounds,
        queues: targets.length,
      });
    }
  }

  #look({ enqueue, journey, queue }: Target): Pick<Fullness, 'was' | 'bounds'> {
    const model = this.#models.of(queue.name);
    const bounds = model.holding(enqueue, journey);
    if (journey.enqueues.length === 1 && journey.pops.length > 0) return { was: 'not-full', bounds };
    const hidden = this.#isHidden(queue.name, {
      fromUs: 0,
      toUs: enqueue.repliedUs ?? enqueue.requestedUs,
    });
    if (enqueue.capacity === null || hidden) return { was: 'unknown', bounds };
    if (bounds.atLeast >= enqueue.capacity) return { was: 'full', bounds };
    return { was: bounds.atMost < enqueue.capacity ? 'not-full' : 'unknown', bounds };
  }
}
