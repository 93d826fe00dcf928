import { expect, test } from 'vitest';
import { formatDuration, parseDuration } from './duration.js';

test.each([
  ['0', 0],
  ['250us', 250],
  ['2ms', 2_000],
  ['1.5ms', 1_500],
  ['1s', 1_000_000],
  ['5m', 300_000_000],
  ['2h', 7_200_000_000],
  [' 3s ', 3_000_000],
])('%j is %d us', (text, us) => {
  expect(parseDuration(text)).toBe(us);
});

test.each(['', '2', 'ms', '-2ms', '2 ms', '2ms1s', '1e3ms', '.5s', 'NaN', '2d'])('%j is refused', (text) => {
  expect(() => parseDuration(text)).toThrow(/is not a duration: give a number and a unit/);
});

test.each([
  [0, '0'],
  [250, '250us'],
  [2_000, '2ms'],
  [1_500, '1.5ms'],
  [20_000_000, '20s'],
  [90_000_000, '1.5m'],
  [3_600_000_000, '1h'],
])('%d us prints as %s', (us, text) => {
  expect(formatDuration(us)).toBe(text);
  expect(parseDuration(text)).toBe(us);
});
