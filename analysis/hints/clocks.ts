/** The clocks of senders, as far as the scores of their messages show them. */
import type { Evidence } from '../evidence.js';
import type { Mark } from '../mark.js';

export interface Clock {
  /** Seconds ahead of the recorder's clock. */
  readonly aheadS: number;
  readonly enqueue: Mark;
}

/** Of each connection, by its enqueues. */
export class Clocks {
  readonly #startedUnixUs: number;
  readonly #clocks = new Map<number, Clock>();

  constructor(startedUnixUs: number) {
    this.#startedUnixUs = startedUnixUs;
  }

  add(enqueue: Mark, score: number): void {
    const aheadS = score - (this.#startedUnixUs + enqueue.requestedUs) / 1e6;
    const known = this.#clocks.get(enqueue.connection);
    if (Number.isFinite(aheadS) && (!known || known.aheadS < aheadS))
      this.#clocks.set(enqueue.connection, { aheadS, enqueue });
  }

  all(): Iterable<Clock> {
    return this.#clocks.values();
  }
}

/** Of a whole trace. */
export function clocksIn({ journeys, startedUnixUs }: Evidence): Iterable<Clock> {
  const clocks = new Clocks(startedUnixUs);
  for (const { enqueues } of journeys.journeys)
    for (const enqueue of enqueues) clocks.add(enqueue, enqueue.score);
  return clocks.all();
}
