/**
 * The ledger: which counts came from whom, and which are missing. Pure: counts in, gaps out.
 *
 * Each sender numbers its messages 0, 1, 2, … A receiver may join in the middle, so a sender's first count is
 * where its account begins; a count missing between the first and the last one received is a gap. A count that comes after
 * a later one is late, not lost: it closes its gap. A sender that starts again has a new id, so its counts do too.
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
  | { readonly kind: 'duplicate' };

interface Account<At> {
  first: number;
  last: number;
  /** Ranges inside first..last that have not come, in the order of their counts. */
  missing: Gap<At>[];
}

/** What one client received. `At` is the caller's notion of a moment: seconds, a date, a line of a log. */
export class Ledger<At> {
  readonly #accounts = new Map<string, Account<At>>();

  /** Enters a count (a whole number from 0) of a sender, and says what it means. */
  receive(sender: string, count: number, at: At): Arrival<At> {
    const account = this.#accounts.get(sender);
    if (account === undefined) {
      this.#accounts.set(sender, { first: count, last: count, missing: [] });
      return { kind: 'first' };
    }
    if (count > account.last) return this.#ahead(account, sender, count, at);
    if (count < account.first) {
      if (count + 1 < account.first)
        account.missing.unshift({ sender, expected: count + 1, received: account.first, at });
      account.first = count;
      return { kind: 'late' };
    }
    return fill(account, count) ? { kind: 'late' } : { kind: 'duplicate' };
  }

  /** The gaps that are still open, sender by sender in the order in which they were first heard. */
  gaps(): Gap<At>[] {
    return [...this.#accounts.values()].flatMap((account) => account.missing);
  }

  #ahead(account: Account<At>, sender: string, count: number, at: At): Arrival<At> {
    const expected = account.last + 1;
    account.last = count;
    if (count === expected) return { kind: 'next' };
    const gap = { sender, expected, received: count, at };
    account.missing.push(gap);
    return { kind: 'gap', gap };
  }
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
