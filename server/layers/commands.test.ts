import { describe, expect, it } from 'vitest';
import { flushAll, poppedOf, restore, takenOf } from './commands.js';

// The commands beside those of the real channels_redis: e2e/same-commands.test.ts.
describe('what a pop has brought', () => {
  it('is the member with its score, as text (RESP 2) or as a number (RESP 3)', () => {
    const member = Buffer.from('m');
    const popped = { member, score: 1795449600.123456 };
    expect(poppedOf([Buffer.from('k'), member, Buffer.from('1795449600.123456')])).toEqual(popped);
    expect(poppedOf([Buffer.from('k'), member, '1795449600.1234560013'])).toEqual(popped);
    expect(poppedOf([Buffer.from('k'), member, 1795449600.123456])).toEqual(popped);
  });

  it('is nothing when its time was over', () => {
    expect(poppedOf(null)).toBeNull();
  });
});

describe('what taking has brought', () => {
  it('is each member with its score, in order', () => {
    const [a, b] = [Buffer.from('a'), Buffer.from('b')];
    expect(takenOf([a, Buffer.from('1.5'), b, Buffer.from('2')])).toEqual([
      { member: a, score: 1.5 },
      { member: b, score: 2 },
    ]);
  });

  it('is nothing where nothing waited', () => {
    expect(takenOf([])).toEqual([]);
    expect(takenOf(null)).toEqual([]);
  });
});

it('restore names the queue and its backup as arguments, not as keys', () => {
  expect(restore('asgi.q!').slice(2)).toEqual([0, 'asgi.q!', 'asgi.q!$inflight']);
});

describe('flush', () => {
  it.each([
    ['asgi', 'asgi*'],
    ['a*b?', 'a\\*b\\?*'],
    ['[x]', '\\[x\\]*'],
  ])('takes the prefix %s by the letter: %s', (prefix, pattern) => {
    expect(flushAll(prefix).at(-1)).toBe(pattern);
  });
});
