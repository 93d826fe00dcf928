import { expect, test } from 'vitest';
import { randomStream } from './random.js';

function numbers(seed: number, name: string, length = 1_000): number[] {
  const next = randomStream(seed, name);
  return Array.from({ length }, () => next());
}

test('the same seed and name give the same numbers, another seed or name others', () => {
  expect(numbers(1, 'a')).toEqual(numbers(1, 'a'));
  expect(numbers(1, 'a')).not.toEqual(numbers(2, 'a'));
  expect(numbers(1, 'a')).not.toEqual(numbers(1, 'b'));
});

// Worked out by another program, in another language.
test('the numbers do not change from one version to the next: a seed in a report stays good', () => {
  expect(numbers(7, 'room_a-0', 3)).toEqual([0.3976669798139483, 0.3645111653022468, 0.19948186143301427]);
});

test('they are spread evenly from 0 up to 1', () => {
  const tenths = new Array<number>(10).fill(0);
  for (const number of numbers(1, 'a', 10_000)) tenths[Math.floor(number * 10)]!++;
  for (const share of tenths) expect(Math.abs(share - 1_000)).toBeLessThan(150);
});
