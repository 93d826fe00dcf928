import { expect, test } from 'vitest';
import { count, parseAmount, wholeNumber } from './number.js';

test.each([
  ['1', 1],
  ['250k', 250_000],
  ['10M', 10_000_000],
  ['1.5m', 1_500_000],
  ['2G', 2_000_000_000],
])('%s is %d', (text, amount) => {
  expect(parseAmount(text)).toBe(amount);
});

test.each(['', '0', '-1', 'many', '10 M', '1e6', '10T', '0.2', '99999999999G'])('%j is no amount', (text) => {
  expect(() => parseAmount(text)).toThrow('a number such as 50000, 250k or 10M');
});

test('a whole number is within its bounds', () => {
  expect(wholeNumber(1, 9)('9')).toBe(9);
  for (const text of ['0', '10', '1.5', 'x', '']) expect(() => wholeNumber(1, 9)(text)).toThrow('1 to 9');
  expect(() => wholeNumber(1)('0')).toThrow('a whole number, 1 or more');
});

test('one of a thing, and more of it', () => {
  expect([count(1, 'push', 'es'), count(2, 'push', 'es'), count(0, 'hole')]).toEqual([
    '1 push',
    '2 pushes',
    '0 holes',
  ]);
});
