import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GapWatch } from './gap-watch.js';

const PATIENCE_MS = 1_000;

function watching(): GapWatch {
  return new GapWatch({ client: 'c', room: 'r', patienceMs: PATIENCE_MS });
}

describe('a gap', () => {
  it('is reported once, when it has been open for as long as patience lasts', () => {
    const watch = watching();
    watch.receive('s', 0, 0);
    watch.receive('s', 3, 100);
    expect(watch.settle(1_099)).toEqual([]);
    expect(watch.settle(1_100)).toEqual([
      {
        ...{ client: 'c', room: 'r', sender: 's', expected: 1, received: 3, missing: [1, 2] },
        at: '1970-01-01T00:00:00.100Z',
      },
    ]);
    expect(watch.settle(5_000)).toEqual([]);
    expect(watch.judge(5_000).lost).toHaveLength(1);
  });

  it('is not reported when it closes in time, and only the open part when it closes in part', () => {
    const watch = watching();
    watch.receive('s', 0, 0);
    watch.receive('s', 2, 100);
    watch.receive('s', 1, 900);
    watch.receive('t', 0, 0);
    watch.receive('t', 4, 100);
    watch.receive('t', 2, 900);
    expect(watch.settle(1_100).map((gap) => [gap.sender, gap.expected, gap.received])).toEqual([
      ['t', 1, 2],
      ['t', 3, 4],
    ]);
  });

  it('that closes after it was reported is no loss in the end', () => {
    const watch = watching();
    for (const count of [0, 2]) watch.receive('s', count, 0);
    expect(watch.settle(1_000)).toHaveLength(1);
    expect(watch.receive('s', 1, 1_500)).toEqual({ kind: 'late' });
    expect(watch.judge(9_000)).toEqual({ lost: [], undecided: [] });
  });

  it('that opens in the last moments is undecided', () => {
    const watch = watching();
    for (const count of [0, 2]) watch.receive('s', count, 0);
    expect(watch.judge(999)).toMatchObject({ lost: [], undecided: [{ expected: 1 }] });
    expect(watch.judge(1_000)).toMatchObject({ lost: [{ expected: 1 }], undecided: [] });
  });
});

it('a count that is far too high is said to be so, and not entered', () => {
  const watch = watching();
  watch.receive('s', 7, 0);
  expect(watch.receive('s', 5_000_000_000, 0)).toEqual({ kind: 'absurd', after: 7 });
  expect(watch.receive('s', 8, 0)).toEqual({ kind: 'next' });
  expect(watch.receive('t', 5_000_000_000, 0)).toEqual({ kind: 'first' });
  expect(watch.received).toBe(3);
});

it('what is missing is counted within the counts that are asked for', () => {
  const watch = watching();
  for (const count of [0, 4, 5, 9]) watch.receive('s', count, 0);
  expect(watch.missingWithin('s', 0, 9)).toBe(6);
  expect(watch.missingWithin('s', 2, 6)).toBe(3);
  expect(watch.missingWithin('t', 0, 9)).toBe(0);
});

// A model that knows the truth: senders that come and go (each time with a new id), messages that are delayed, repeated
// or lost on the way to one receiver, which joins and leaves when it likes.
interface Fate {
  readonly lost: boolean;
  readonly delayMs: number;
  /** After how long it comes again; undefined: it comes once. */
  readonly againMs: number | undefined;
}

interface Sender {
  readonly startMs: number;
  readonly fates: readonly Fate[];
}

const BETWEEN_MS = 100;

const fate: fc.Arbitrary<Fate> = fc.record({
  lost: fc.boolean(),
  delayMs: fc.nat({ max: PATIENCE_MS }),
  againMs: fc.option(fc.nat({ max: 3_000 }), { nil: undefined }),
});
// Nine at most: ten repeats in a row would be a sender that starts again, which ledger.test.ts has.
const sender: fc.Arbitrary<Sender> = fc.record({
  startMs: fc.nat({ max: 4_000 }),
  fates: fc.array(fate, { maxLength: 9 }),
});

describe('in every room that can be thought of', () => {
  it('what is called lost was lost, and what was lost is called so where its neighbours came', () => {
    fc.assert(
      fc.property(
        fc.array(sender, { maxLength: 4 }),
        fc.nat({ max: 3_000 }),
        fc.nat({ max: 6_000 }),
        (senders, joinMs, stayMs) => {
          const leaveMs = joinMs + stayMs;
          const arrivals = arrivalsAt(senders, joinMs, leaveMs);
          const watch = watching();
          const reported: string[] = [];
          for (const { id, count, ms } of arrivals) {
            reported.push(...namesOf(watch.settle(ms)));
            watch.receive(id, count, ms);
          }
          reported.push(...namesOf(watch.settle(leaveMs)));

          const accused = namesOf(watch.judge(leaveMs).lost);
          expect(accused.sort()).toEqual(truthOf(senders, arrivals, leaveMs).sort());
          // Nothing comes later than patience lasts here, so what was reported on the way holds to the end.
          expect(reported.sort()).toEqual(accused);
          expect(watch.received).toBe(arrivals.length);
          expect(watch.duplicates).toBe(arrivals.length - new Set(arrivals.map(nameOf)).size);
        },
      ),
      { numRuns: 500 },
    );
  });
});

interface Arriving {
  readonly id: string;
  readonly count: number;
  readonly ms: number;
}

/** What reaches the receiver while it is there, in order. Only what is sent after it joined is addressed to it. */
function arrivalsAt(senders: readonly Sender[], joinMs: number, leaveMs: number): Arriving[] {
  return senders
    .flatMap(({ startMs, fates }, i) =>
      fates.flatMap(({ lost, delayMs, againMs }, count) => {
        const sentMs = startMs + count * BETWEEN_MS;
        if (lost || sentMs < joinMs) return [];
        const once = { id: `s${i}`, count, ms: sentMs + delayMs };
        return againMs === undefined ? [once] : [once, { ...once, ms: once.ms + againMs }];
      }),
    )
    .filter(({ ms }) => ms < leaveMs)
    .sort((a, b) => a.ms - b.ms);
}

/** Lost, after the first one that came, and a later one came so early that the receiver could wait for it. */
function truthOf(senders: readonly Sender[], arrivals: readonly Arriving[], leaveMs: number): string[] {
  return senders.flatMap(({ fates }, i) => {
    const heard = arrivals.filter(({ id }) => id === `s${i}`);
    return fates.flatMap(({ lost }, count) => {
      const first = heard[0]?.count ?? Number.POSITIVE_INFINITY;
      const jumped = heard.find((other) => other.count > count);
      const inTime = jumped !== undefined && leaveMs - jumped.ms >= PATIENCE_MS;
      return lost && count > first && inTime ? [nameOf({ id: `s${i}`, count })] : [];
    });
  });
}

function nameOf({ id, count }: { readonly id: string; readonly count: number }): string {
  return `${id} ${count}`;
}

function namesOf(
  gaps: readonly { readonly sender: string; readonly expected: number; readonly received: number }[],
): string[] {
  return gaps.flatMap(({ sender: id, expected, received }) =>
    Array.from({ length: received - expected }, (_, i) => nameOf({ id, count: expected + i })),
  );
}
