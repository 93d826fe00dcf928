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

  it('moves its beginning back when the first one heard was not the first', () => {
    expect(account(5, 3, 4)).toEqual({ kinds: ['first', 'late', 'late'], gaps: [] });
    expect(account(5, 3).gaps).toEqual([{ expected: 4, received: 5, at: 1 }]);
    expect(account(5, 4).gaps).toEqual([]);
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

  it('is missing, in any order of arrival, what lies between the lowest and the highest and never came', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 40 }), { minLength: 1 }), (counts) => {
        const { gaps, kinds } = account(...counts);
        const missing = gaps.flatMap((gap) => range(gap.expected, gap.received));
        const came = new Set(counts);
        expect(missing).toEqual(range(Math.min(...counts), Math.max(...counts)).filter((n) => !came.has(n)));
        for (const gap of gaps) expect(came.has(gap.received) && came.has(gap.expected - 1)).toBe(true);
        expect(kinds.filter((kind) => kind === 'duplicate')).toHaveLength(counts.length - came.size);
      }),
    );
  });
});

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}
