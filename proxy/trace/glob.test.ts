import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { globMatcher } from './glob.js';

describe('globs as KEYS has them', () => {
  it.each([
    ['*', 'anything at all', true],
    ['*', '', true],
    ['', '', true],
    ['', 'x', false],
    ['asgi:*', 'asgi:group:room', true],
    ['asgi:*', 'xasgi:group', false],
    ['h?llo', 'hello', true],
    ['h?llo', 'hllo', false],
    ['h[ae]llo', 'hallo', true],
    ['h[ae]llo', 'hillo', false],
    ['h[^e]llo', 'hbllo', true],
    ['h[^e]llo', 'hello', false],
    ['h[a-c]llo', 'hbllo', true],
    ['h[c-a]llo', 'hbllo', true],
    ['h[a-c]llo', 'hdllo', false],
    ['h\\*llo', 'h*llo', true],
    ['h\\*llo', 'hxllo', false],
    ['h[\\]]llo', 'h]llo', true],
    ['[a', 'a', true],
    ['a]b', 'a]b', true],
    ['a.b', 'axb', false],
    ['specific.*!*', 'specific.abc!def', true],
    ['a*b*c', 'a--b--c', true],
    ['a*b*c', 'a--c--b', false],
    ['?', '\n', true],
    ['?', '😀', true],
    ['(a+)+$', '(a+)+$', true],
  ])('%j on %j: %s', (pattern, name, matches) => {
    expect(globMatcher(pattern)(name)).toBe(matches);
  });

  it('matches every name with its own escaped text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        const escaped = [...name].map((character) => `\\${character}`).join('');
        expect(globMatcher(escaped)(name)).toBe(true);
        expect(globMatcher(`${escaped}x`)(name)).toBe(false);
      }),
    );
  });

  it('takes any pattern', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (pattern, name) => {
        expect(typeof globMatcher(pattern)(name)).toBe('boolean');
      }),
    );
  });
});
