import { expect, test } from 'vitest';
import { describeClose } from './close-code.js';

test.each([
  [1008, '', '1008 (policy violation)'],
  [1009, '', '1009 (message too big)'],
  [1013, 'Redis is away', '1013 (try again later): Redis is away'],
  [1006, '', '1006 (the connection broke)'],
  [1999, '', '1999 (a code without a name)'],
  [4000, 'bye', '4000 (a code of the application): bye'],
])('close code %i has a name', (code, reason, text) => {
  expect(describeClose(code, reason)).toBe(text);
});
