/**
 * The ledger: which counts came from whom, and which are missing. Pure: counts in, gaps out.
 *
 * Each sender numbers its messages 0, 1, 2, … A receiver may join in the middle, so its account of a sender begins with the first
 * count that came; a count missing between that one and the highest one is a gap. What is right about the rest:
 *
 * - A count that comes after a later one is late, not lost: it closes its gap. Whoever wants to be sure waits a while (gap-watch.ts).
 * - A count below the first one was overtaken while the receiver joined. It is entered, but no gap is claimed below
 *   the first: the receiver may not have been there yet.
 * - A count that came before is a duplicate.
 * - A sender that starts again has a new id, as the protocol wants it. One that keeps its id counts from 0 again, which
 *   looks like duplicates: after ten of them in a row from 0 on, with nothing else between, it is taken for
 *   a new start. Up to then nothing is claimed.
 * - What a sender sent after the last count that came is not known here, so the end of a run is never a gap.
 *
 * Gaps are kept as ranges: a sender that jumps by a billion costs no more than one that jumps by two.
 */

/** A range of counts that did not come: `expected` up to, and not including, `received`. */
export interface Gap<At> {
  readonly sender: string;
  readonly expected: number;
  /** The next count that did come. */
  readonly received: number;
  /** When this was first seen: what `receive` was given with the count that showed it. */
  readonly at: At;
}

export type Arrival<At> =
  | { readonly kind: 'first' }
  | { readonly kind: 'next' }
  /** Counts before this one have not come, so far. */
  | { readonly kind: 'gap'; readonly gap: Gap<At> }
  /** Overtaken by a later count. */
  | { readonly kind: 'late' }
  | { readonly kind: 'duplicate' }
  /** The sender counts from 0 again: this was the tenth in a row; the nine before it were called duplicates. */
  | { readonly kind: 'restart' };

interface Account<At> {
  /** The count that came first: gaps are claimed from here on. */
  readonly start: number;
  lowest: number;
  highest: number;
  /** Ranges inside lowest..highest that have not come, in the order of their counts. */
  missing: Gap<At>[];
  /** The counts may have begun again: the one that would go on with it, and what was missing before. */
  again: { readonly next: number; readonly missing: readonly Gap<At>[] } | undefined;
}

/** So many counts in a row from 0 on, all of them repeats, are a new start. */
const RESTART_RUN = 10;

/** What one client received. `At` is the caller's notion of a moment: seconds, a date, a line of a log. */
export class Ledger<At> {
  readonly #accounts = new Map<string, Account<At>>();
  /** Gaps of senders that have started again since, by sender: nothing closes them any more. */
  readonly #closed = new Map<string, readonly Gap<At>[]>();

  /** Enters a count (a whole number from 0) of a sender, and says what it means. */
  receive(sender: string, count: number, at: At): Arrival<At> {
    const account = this.#accounts.get(sender);
    if (account === undefined) {
      this.#accounts.set(sender, opened(count, count));
      return { kind: 'first' };
    }
    if (count > account.highest) return ahead(account, sender, count, at);
    const late = count < account.lowest ? extendBack(account, sender, count, at) : fill(account, count);
    if (this.#hasRestarted(sender, account, count, late)) return { kind: 'restart' };
    return { kind: late ? 'late' : 'duplicate' };
  }

  /** The gaps that are still open: of one sender, or of all in the order in which they were first heard. */
  gaps(sender?: string): Gap<At>[] {
    if (sender === undefined) return [...this.#accounts.keys()].flatMap((each) => this.gaps(each));
    const account = this.#accounts.get(sender);
    return [...(this.#closed.get(sender) ?? []), ...(account === undefined ? [] : claimed(account))];
  }

  /** The highest count that came from a sender. */
  highest(sender: string): number | undefined {
    return this.#accounts.get(sender)?.highest;
  }

  #hasRestarted(sender: string, account: Account<At>, count: number, late: boolean): boolean {
    const { again } = account;
    if (again?.next === count) account.again = { next: count + 1, missing: again.missing };
    else account.again = count === 0 && !late ? { next: 1, missing: [...account.missing] } : undefined;
    if (again === undefined || account.again?.next !== RESTART_RUN) return false;
    // What the new counts seemed to fill of the old ones is missing after all.
    const lost = claimed({ start: account.start, missing: again.missing });
    this.#closed.set(sender, [...(this.#closed.get(sender) ?? []), ...lost]);
    this.#accounts.set(sender, opened(0, count));
    return true;
  }
}

function opened<At>(start: number, highest: number): Account<At> {
  return { start, lowest: start, highest, missing: [], again: undefined };
}

function ahead<At>(account: Account<At>, sender: string, count: number, at: At): Arrival<At> {
  const expected = account.highest + 1;
  account.highest = count;
  account.again = undefined;
  if (count === expected) return { kind: 'next' };
  const gap = { sender, expected, received: count, at };
  account.missing.push(gap);
  return { kind: 'gap', gap };
}

/** The counts between are remembered, so that each is late once and a duplicate after that; they are no gap. */
function extendBack<At>(account: Account<At>, sender: string, count: number, at: At): boolean {
  const between = { sender, expected: count + 1, received: account.lowest, at };
  if (between.expected < between.received) account.missing.unshift(between);
  account.lowest = count;
  return true;
}

/** Takes one count out of the missing ranges. False: it was not missing. */
function fill<At>(account: Account<At>, count: number): boolean {
  const index = account.missing.findIndex((gap) => gap.expected <= count && count < gap.received);
  const gap = account.missing[index];
  if (gap === undefined) return false;
  const rest = [
    { ...gap, received: count },
    { ...gap, expected: count + 1 },
  ].filter((part) => part.expected < part.received);
  account.missing.splice(index, 1, ...rest);
  return true;
}

function claimed<At>({
  start,
  missing,
}: {
  readonly start: number;
  readonly missing: readonly Gap<At>[];
}): Gap<At>[] {
  return missing.filter((gap) => gap.expected > start);
}
