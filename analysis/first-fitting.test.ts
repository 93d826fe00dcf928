import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FirstFitting } from './first-fitting.js';

const pairs = fc.array(fc.tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 20 })), {
  maxLength: 40,
});

test('the same items, in the same order, as by going through all', () => {
  fc.assert(
    fc.property(pairs, fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 20 }), (items, a, b) => {
      const index = new FirstFitting(items, (pair) => pair);
      const fitting = items.filter(([one, other]) => one > a && other >= b);
      const fits = (one = 0, other = 0) => one > a && other >= b;
      expect([...index.all(fits)]).toEqual(fitting);
      expect(index.first(fits)).toBe(fitting[0]);
    }),
    { seed: 7 },
  );
});

test('of a long list with nothing that fits, a few are looked at', () => {
  const items = Array.from({ length: 100_000 }, (_, at) => at);
  const index = new FirstFitting(items, (item) => [item, -item]);
  let looked = 0;
  const found = index.first((item = 0, before = 0) => {
    looked++;
    return item >= 70_000 && -before <= 70_000;
  });
  expect(found).toBe(70_000);
  expect(looked).toBeLessThan(100);
});
