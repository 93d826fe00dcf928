import { expect, test } from 'vitest';
import { formatSize, parseSize } from './size.js';

test.each([
  ['0', 0],
  ['512', 512],
  ['512b', 512],
  ['1k', 1024],
  ['64KB', 65_536],
  ['64MB', 67_108_864],
  ['64MiB', 67_108_864],
  ['1.5g', 1_610_612_736],
])('%j is %d bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each(['', 'MB', '-1', '64 MB', '1e6', '5x'])('%j is refused', (text) => {
  expect(() => parseSize(text)).toThrow(/is not a size/);
});

test.each([
  [0, '0 bytes'],
  [1, '1 byte'],
  [1023, '1023 bytes'],
  [1024, '1 KB'],
  [1536, '1.5 KB'],
  [67_108_864, '64 MB'],
  [1024 ** 3, '1 GB'],
])('%d prints as %s', (bytes, text) => {
  expect(formatSize(bytes)).toBe(text);
});
