/**
 * How many receive loops read a queue. The queue of a process should have one: its layer sends a poll only when it has the answer to
 * the one before. A general channel has one for each worker, and a queue whose process was forked after its layer was made has two
 * as well, which is a fault (causes/wrong-process.ts).
 *
 * Two loops are proven by two polls outstanding at once on two connections, if what either brought was then backed up. A poll that
 * was given up (stray-pop, or a client that reconnects) overlaps with the next one too, but nobody backs up what it brings.
 *
 * Which connections are of one process is known in part: who pops a message backs it up, maybe on another connection; and
 * those with such overlapping polls are of two.
 */
import type { Mark, QueueHistory } from './journey.js';
import { isProcessQueue } from './profiles/channel-layer.js';

/** A pop whose message was backed up by the one who popped it. */
interface GuardedPop {
  readonly pop: Mark;
  readonly backup: Mark;
}

export class ReceiveLoops {
  /** Two polls of two loops, outstanding at once; null where one loop explains all. */
  readonly overlap: readonly [Mark, Mark] | null;
  readonly #isGeneral: boolean;
  /** Connection -> the connection that names all that are known to be of its process. */
  readonly #sameAs = new Map<number, number>();
  readonly #apart: readonly [Mark, Mark][];

  constructor(queue: QueueHistory) {
    const pops = guardedPops(queue);
    for (const { pop, backup } of pops) this.#join(pop.connection, backup.connection);
    const overlaps = overlapping(pops);
    this.overlap = overlaps[0] ?? null;
    this.#isGeneral = !isProcessQueue(queue.key);
    this.#apart = overlaps;
  }

  /** May a receive step of the queue be of another loop than the one before? */
  get several(): boolean {
    return this.#isGeneral || this.overlap !== null;
  }

  /** Are two connections of one process? Null: not known. */
  ofOneProcess(a: number, b: number): boolean | null {
    const [one, other] = [this.#named(a), this.#named(b)];
    if (one === other) return true;
    const apart = this.#apart.some(([left, right]) => {
      const pair = [this.#named(left.connection), this.#named(right.connection)];
      return pair.includes(one) && pair.includes(other);
    });
    return apart ? false : null;
  }

  #join(a: number, b: number): void {
    const [one, other] = [this.#named(a), this.#named(b)];
    if (one !== other) this.#sameAs.set(one, other);
  }

  #named(connection: number): number {
    let name = connection;
    for (let next = this.#sameAs.get(name); next !== undefined; next = this.#sameAs.get(name)) {
      // Half the way for whoever asks next: a process may have had thousands of connections.
      const beyond = this.#sameAs.get(next);
      if (beyond !== undefined) this.#sameAs.set(name, beyond);
      name = next;
    }
    return name;
  }
}

function guardedPops(queue: QueueHistory): GuardedPop[] {
  const guarded: GuardedPop[] = [];
  for (const { pops, backups } of queue.journeys)
    for (const [i, pop] of pops.entries()) {
      const until = pops[i + 1]?.repliedUs ?? Number.POSITIVE_INFINITY;
      const backup = backups.find(
        (mark) => mark.requestedUs >= (pop.repliedUs ?? pop.requestedUs) && mark.requestedUs < until,
      );
      if (backup && pop.command === 'BZPOPMIN') guarded.push({ pop, backup });
    }
  return guarded.sort((a, b) => a.pop.requestedUs - b.pop.requestedUs);
}

/** Polls outstanding at once, one example for each two connections. */
function overlapping(pops: readonly GuardedPop[]): [Mark, Mark][] {
  const found = new Map<string, [Mark, Mark]>();
  let outstanding: Mark[] = [];
  for (const { pop } of pops) {
    outstanding = outstanding.filter((mark) => (mark.repliedUs as number) > pop.requestedUs);
    for (const mark of outstanding) {
      const both = `${mark.connection} ${pop.connection}`;
      if (mark.connection !== pop.connection && !found.has(both)) found.set(both, [mark, pop]);
    }
    outstanding.push(pop);
  }
  return [...found.values()];
}
