/** The polls of a queue that waited for a while, found again by the time in which they were outstanding. Some 24 bytes each. */
import type { TraceOperation } from '../../proxy/trace/trace.js';
import { countWhile } from '../moment.js';

/** Those that were answered sooner are looked for in the trace. */
export const LONG_US = 2000;

export class LongPolls {
  readonly #ids: number[] = [];
  readonly #requestedUs: number[] = [];
  /** When each was answered; Infinity where it was not. */
  readonly #answeredUs: number[] = [];

  /** Polls in the order of their ids; those that are not long are left out. */
  add({ id, requestedUs, repliedUs }: TraceOperation): void {
    if (repliedUs !== null && repliedUs - requestedUs <= LONG_US) return;
    this.#ids.push(id);
    this.#requestedUs.push(requestedUs);
    this.#answeredUs.push(repliedUs ?? Number.POSITIVE_INFINITY);
  }

  /** Those before an operation that were not answered before a moment, of those asked for since another. */
  *waiting(beforeId: number, atUs: number, sinceUs: number): Generator<number> {
    for (let at = countWhile(this.#ids, (id) => id < beforeId) - 1; at >= 0; at--) {
      if ((this.#requestedUs[at] as number) < sinceUs) return;
      if ((this.#answeredUs[at] as number) >= atUs) yield this.#ids[at] as number;
    }
  }
}
