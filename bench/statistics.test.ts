import { expect, test } from 'vitest';
import { quartilesOf, ratioOf, spreadOf } from './statistics.js';

test('the median is the value in the middle, or half way between the two in the middle', () => {
  expect(spreadOf([30, 10, 20])).toEqual({ median: 20, low: 10, high: 30 });
  expect(spreadOf([4, 1, 100, 2])).toEqual({ median: 3, low: 1, high: 100 });
  expect(spreadOf([7])).toEqual({ median: 7, low: 7, high: 7 });
});

test('numbers are sorted as numbers, and the caller keeps its order', () => {
  const values = [100, 9, 20];
  expect(spreadOf(values).median).toBe(20);
  expect(values).toEqual([100, 9, 20]);
});

test('quartiles leave the ends out', () => {
  expect(quartilesOf([1, 2, 3, 4, 1000])).toEqual({ median: 3, low: 2, high: 4 });
  expect(quartilesOf([1, 2, 3, 4])).toEqual({ median: 2.5, low: 1.75, high: 3.25 });
});

test('a ratio is taken within each round, not between medians of different rounds', () => {
  expect(ratioOf([50, 5, 8], [100, 10, 10])).toEqual({ median: 0.5, low: 0.5, high: 0.8 });
});

test('rounds that do not match, and no rounds', () => {
  expect(() => ratioOf([1, 2], [1])).toThrow('2 rounds against 1');
  expect(() => spreadOf([])).toThrow(RangeError);
});
