import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ledger } from './ledger.js';

/** Enters the counts of one sender; the moment of each is its position. */
function account(...counts: number[]) {
  const ledger = new Ledger<number>();
  const kinds = counts.map((count, at) => ledger.receive('s', count, at).kind);
  return { kinds, gaps: ledger.gaps().map(({ expected, received, at }) => ({ expected, received, at })) };
}

describe('the ledger', () => {
  it('begins where a sender is first heard', () => {
    expect(account(7, 8, 9)).toEqual({ kinds: ['first', 'next', 'next'], gaps: [] });
  });

  it('sees a gap with the count that jumps over it', () => {
    expect(new Ledger<string>().receive('s', 3, 'noon')).toEqual({ kind: 'first' });
    expect(account(0, 1, 4)).toEqual({
      kinds: ['first', 'next', 'gap'],
      gaps: [{ expected: 2, received: 4, at: 2 }],
    });
  });

  it('closes a gap when the count comes late', () => {
    expect(account(0, 2, 1)).toEqual({ kinds: ['first', 'gap', 'late'], gaps: [] });
  });

  it('splits a gap when a count in its middle comes late', () => {
    expect(account(0, 6, 3).gaps).toEqual([
      { expected: 1, received: 3, at: 1 },
      { expected: 4, received: 6, at: 1 },
    ]);
  });

  it('claims nothing below the count that came first: the receiver may not have been there yet', () => {
    expect(account(5, 3, 4, 4)).toEqual({ kinds: ['first', 'late', 'late', 'duplicate'], gaps: [] });
    expect(account(5, 3).gaps).toEqual([]);
    expect(account(5, 3, 7).gaps).toEqual([{ expected: 6, received: 7, at: 2 }]);
  });

  it('counts a repeat as a duplicate', () => {
    expect(account(0, 1, 1, 0).kinds).toEqual(['first', 'next', 'duplicate', 'duplicate']);
  });

  it('keeps senders apart', () => {
    const ledger = new Ledger<null>();
    ledger.receive('a', 0, null);
    ledger.receive('b', 9, null);
    ledger.receive('b', 11, null);
    expect(ledger.receive('a', 1, null)).toEqual({ kind: 'next' });
    expect(ledger.gaps()).toEqual([{ sender: 'b', expected: 10, received: 11, at: null }]);
  });

  it('is missing, in any order of arrival, what lies between the first and the highest and never came', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 40 }), { minLength: 1 }), (counts) => {
        fc.pre(!hasRunFromZero(counts));
        const { gaps, kinds } = account(...counts);
        const missing = gaps.flatMap((gap) => range(gap.expected, gap.received));
        const came = new Set(counts);
        const first = counts[0] ?? 0;
        expect(missing).toEqual(range(first, Math.max(...counts)).filter((n) => !came.has(n)));
        for (const gap of gaps) expect(came.has(gap.received) && came.has(gap.expected - 1)).toBe(true);
        expect(kinds.filter((kind) => kind === 'duplicate')).toHaveLength(counts.length - came.size);
      }),
    );
  });
});

describe('a sender that starts again with the same id', () => {
  it('has begun a new account when it has repeated ten counts in a row from 0', () => {
    const { kinds, gaps } = account(...range(0, 20), ...range(0, 12), 13);
    expect(kinds.slice(20)).toEqual([
      ...Array<string>(9).fill('duplicate'),
      'restart',
      'next',
      'next',
      'gap',
    ]);
    expect(gaps).toMatchObject([{ expected: 12, received: 13 }]);
  });

  it('does not give back what was lost before', () => {
    const before = range(0, 20).filter((count) => count !== 5);
    expect(account(...before, ...range(0, 12)).gaps).toMatchObject([{ expected: 5, received: 6 }]);
    expect(account(...before, ...range(0, 9)).gaps).toEqual([]); // not yet sure: 5 may only have been late
  });

  it('is not what a few repeats are', () => {
    expect(account(...range(0, 12), ...range(0, 9), 12, 14).gaps).toMatchObject([
      { expected: 13, received: 14 },
    ]);
    expect(account(...range(0, 12), 0, 0, ...range(1, 9), 12).kinds).not.toContain('restart');
  });

  it('is never accused of a gap that is none, wherever the receiver joined and whatever was lost', () => {
    const run = fc.array(fc.boolean(), { maxLength: 40 });
    fc.assert(
      fc.property(run, run, fc.nat({ max: 40 }), (first, second, joined) => {
        const came = [...receivedOf(first).filter((count) => count >= joined), ...receivedOf(second)];
        const lost = new Set([...lostOf(first), ...lostOf(second)]);
        for (const gap of account(...came).gaps)
          for (const count of range(gap.expected, gap.received)) expect(lost).toContain(count);
      }),
    );
  });
});

/** Ten counts in a row from 0 on, which may mean that the sender starts again. */
function hasRunFromZero(counts: readonly number[]): boolean {
  return counts.some((_, i) => range(0, 10).every((n) => counts[i + n] === n));
}

/** Positions of what arrived, and of what did not. */
function receivedOf(arrived: readonly boolean[]): number[] {
  return range(0, arrived.length).filter((count) => arrived[count]);
}

function lostOf(arrived: readonly boolean[]): number[] {
  return range(0, arrived.length).filter((count) => !arrived[count]);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
