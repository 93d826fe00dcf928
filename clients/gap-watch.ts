/**
 * What one client missed, said when it is certain: a ledger, and the patience to wait for what is only late.
 *
 * A count that is jumped over may still come (redelivered, or overtaken on its way), so a gap is reported when it
 * has been open for `patience`. At the end of a run the same holds: a gap that opened in the last moments is
 * undecided, not a loss. Pure: the caller says what time it is, in milliseconds of any clock that only goes forward.
 */
import { type Arrival, type Gap, Ledger } from './ledger.js';

export interface Judgement {
  /** Gaps that were open for `patience` at the end; also those that were not yet reported. */
  readonly lost: readonly Gap<number>[];
  /** Gaps that opened too late to tell. */
  readonly undecided: readonly Gap<number>[];
}

export class GapWatch {
  readonly #patienceMs: number;
  readonly #ledger = new Ledger<number>();
  /** Gaps that were noticed and not yet judged, oldest first. Since then they may have closed, in whole or in part. */
  #waiting: Gap<number>[] = [];

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /** Enters a count, and says what it means. */
  receive(sender: string, count: number, nowMs: number): Arrival<number> {
    const arrival = this.#ledger.receive(sender, count, nowMs);
    if (arrival.kind === 'gap') this.#waiting.push(arrival.gap);
    return arrival;
  }

  /** Counts of this sender that lie in `from`..`to` (both included) and have not come, though later ones have. */
  missingWithin(sender: string, from: number, to: number): number {
    return this.#ledger
      .gaps(sender)
      .map((gap) => Math.min(gap.received, to + 1) - Math.max(gap.expected, from))
      .reduce((sum, width) => sum + Math.max(0, width), 0);
  }

  /** The gaps that have been open for `patience` by now: each once. */
  settle(nowMs: number): Gap<number>[] {
    const due = this.#waiting.filter((gap) => nowMs - gap.at >= this.#patienceMs);
    if (due.length === 0) return due;
    this.#waiting = this.#waiting.filter((gap) => nowMs - gap.at < this.#patienceMs);
    return due.flatMap((noticed) =>
      this.#ledger
        .gaps(noticed.sender)
        .filter((open) => noticed.expected <= open.expected && open.received <= noticed.received),
    );
  }

  /** What it comes to at the end. A gap that was reported and closed after all is in neither list. */
  judge(nowMs: number): Judgement {
    const open = this.#ledger.gaps();
    return {
      lost: open.filter((gap) => nowMs - gap.at >= this.#patienceMs),
      undecided: open.filter((gap) => nowMs - gap.at < this.#patienceMs),
    };
  }
}
