/**
 * What one client missed, said when it is certain: a ledger, and the patience to wait for what is only late.
 *
 * A count that is jumped over may still come (redelivered, or overtaken on its way), so a gap is reported when it
 * has been open for `patience`. At the end of a run the same holds: a gap that opened in the last moments is
 * undecided, not a loss. Pure: the caller says what time it is, in milliseconds since the Unix epoch, by a clock that
 * only goes forward.
 */
import { type GapReport, missingOf, WIDEST_GAP } from './gap-report.js';
import { type Arrival, type Gap, Ledger } from './ledger.js';

export interface GapWatchOptions {
  /** What the client is called in reports. */
  readonly client: string;
  readonly room: string;
  readonly patienceMs: number;
}

/** A count that is too far ahead to be one: it is not entered. */
export interface Absurd {
  readonly kind: 'absurd';
  readonly after: number;
}

/** What it comes to at the end. A gap that was reported and closed after all is in neither list. */
export interface Judgement {
  /** Gaps that were open for `patience` at the end. */
  readonly lost: readonly GapReport[];
  /** Gaps that opened too late to tell. */
  readonly undecided: readonly GapReport[];
}

export class GapWatch {
  /** Messages entered, with repeats. */
  received = 0;
  duplicates = 0;
  /** Messages that came after a later one of their sender. */
  reorderings = 0;
  readonly #options: GapWatchOptions;
  readonly #ledger = new Ledger<number>();
  /** Gaps that were noticed and not yet judged, oldest first. Since then they may have closed, in whole or in part. */
  #waiting: Gap<number>[] = [];

  constructor(options: GapWatchOptions) {
    this.#options = options;
  }

  /** Enters a count, and says what it means. */
  receive(sender: string, count: number, nowMs: number): Arrival<number> | Absurd {
    const highest = this.#ledger.highest(sender) ?? count;
    if (count - highest > WIDEST_GAP) return { kind: 'absurd', after: highest };
    const arrival = this.#ledger.receive(sender, count, nowMs);
    this.received++;
    if (arrival.kind === 'gap') this.#waiting.push(arrival.gap);
    if (arrival.kind === 'late') this.reorderings++;
    if (arrival.kind === 'duplicate') this.duplicates++;
    return arrival;
  }

  /** How many counts of this sender in `from`..`to` (both included) have not come, though later ones have. */
  missingWithin(sender: string, from: number, to: number): number {
    return this.#ledger
      .gaps(sender)
      .map((gap) => Math.min(gap.received, to + 1) - Math.max(gap.expected, from))
      .reduce((sum, width) => sum + Math.max(0, width), 0);
  }

  /** The gaps that have been open for `patience` by now: each once. */
  settle(nowMs: number): GapReport[] {
    const due = this.#waiting.filter((gap) => this.#isSure(gap, nowMs));
    if (due.length === 0) return [];
    this.#waiting = this.#waiting.filter((gap) => !this.#isSure(gap, nowMs));
    return due.flatMap((noticed) =>
      this.#ledger
        .gaps(noticed.sender)
        .filter((open) => noticed.expected <= open.expected && open.received <= noticed.received)
        .map((gap) => this.#report(gap)),
    );
  }

  judge(nowMs: number): Judgement {
    const open = this.#ledger.gaps();
    return {
      lost: open.filter((gap) => this.#isSure(gap, nowMs)).map((gap) => this.#report(gap)),
      undecided: open.filter((gap) => !this.#isSure(gap, nowMs)).map((gap) => this.#report(gap)),
    };
  }

  #isSure(gap: Gap<number>, nowMs: number): boolean {
    return nowMs - gap.at >= this.#options.patienceMs;
  }

  #report(gap: Gap<number>): GapReport {
    const { client, room } = this.#options;
    const { sender, expected, received } = gap;
    const at = new Date(gap.at).toISOString();
    return { client, room, sender, expected, received, missing: missingOf(gap), at };
  }
}

/** Now, for a GapWatch: milliseconds since the Unix epoch that do not jump when somebody sets the clock. */
export function steadyNowMs(): number {
  return performance.timeOrigin + performance.now();
}
