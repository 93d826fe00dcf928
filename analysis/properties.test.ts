import fc from 'fast-check';
import { expect, test } from 'vitest';
import { turnedWrong, verdicts } from './testing/cut-trace.js';
import { randomCuts, randomJourneys } from './testing/random-journeys.js';

test('holes cut at random into random journeys: no verdict turns wrong, each stays or becomes indeterminate', () => {
  const cutJourneys = randomJourneys.chain((journeys) => {
    const connections = [...journeys.trace.connections()].map(({ id }) => id);
    return fc.record({
      journeys: fc.constant(journeys),
      cuts: randomCuts(journeys.trace.watermarkUs, connections),
    });
  });
  fc.assert(
    fc.property(cutJourneys, ({ journeys, cuts }) => {
      expect(turnedWrong(journeys.trace, cuts)).toEqual([]);
    }),
    { numRuns: 250 },
  );
});

test('the oldest part dropped: no verdict turns wrong', () => {
  const begun = fc.record({ journeys: randomJourneys, part: fc.double({ min: 0, max: 1, noNaN: true }) });
  fc.assert(
    fc.property(begun, ({ journeys: { trace }, part }) => {
      const toUs = Math.round(trace.watermarkUs * part);
      expect(turnedWrong(trace, [{ fromUs: 0, toUs, connection: null, direction: null }])).toEqual([]);
    }),
    { numRuns: 100 },
  );
});

test('random journeys come to many ends: the property above is not about nothing', () => {
  const ends = new Set(
    fc.sample(randomJourneys, { numRuns: 60, seed: 1 }).flatMap(({ trace }) => [...verdicts(trace).values()]),
  );
  expect([...ends].sort()).toEqual([
    'delivered',
    'in-flight',
    'indeterminate',
    'lost: popped-then-disconnected',
    'lost: removed-outside-trace',
    'lost: reply-desync',
    'lost: stray-pop',
    'recipients-left',
    'redelivered-late: redelivered-late',
    'rejected: over-capacity',
    'rejected: rejected',
  ]);
});
