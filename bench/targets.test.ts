import { expect, test } from 'vitest';
import type { EnduranceFigures } from './endurance.js';
import { accountOf, isAccountedFor, targetsOf } from './targets.js';
import { ENDURED, EXAMPLE_RESULT } from './testing/example-result.js';

const targets = new Map(targetsOf(EXAMPLE_RESULT).map((target) => [target.what, target]));

test.each([
  ['requests/s of the bare pipe’s, P=1, c=50', '0.75 (0.75..0.90)', false],
  ['requests/s of HAProxy’s, P=1, c=50', '0.60 (0.60..0.60)', false],
  ['requests/s of the bare pipe’s, P=16, c=50', '0.95 (0.95..0.95)', true],
  ['requests/s of Redis under MONITOR’s, P=16, c=50', '1.90 (1.90..1.90)', true],
  ['p50 of the bare pipe’s, P=1, c=1', '1.10 (1.10..1.10); the mean 1.00 (1.00..1.00)', true],
  ['a chunk on the forwarding thread, beyond the pipe', '0.30 us', true],
  [
    '20 million operations at full load',
    '20,000,000 asked, 1,000 missing, holes of 40,000 bytes, which add up',
    true,
  ],
  ['memory throughout, full load', '220 MB', false],
  ['memory throughout, ten minutes', '150 MB at most, +0 % in 10.0 minutes', true],
  ['memory a connection, 10,000 idle ones', '20.0 KB, of 10,000', true],
  ['trace bytes a wire byte, channel layer, index included', '1.50 (1.50..1.50)', true],
  ['indexing, 10.0M operations', '163,934 operations/s', true],
  [
    'analyze-gap --sender --count once indexed, 10.0M operations',
    '0.40 s; the first question, which makes the index of messages, 0.90 s',
    true,
  ],
  ['audit, 10.0M operations', '166,667 operations/s', false],
  ['memory of audit, 10.0M operations', '400 MB', true],
  ['query --key, first rows, 10.0M operations', '250 ms', false],
  ['cost grows linearly', 'indexing 1.02, audit 1.50', false],
  ['a slow disk, --on-overload drop', 'not measured: it failed: a | b\nc', null],
])('%s: %s', (what, measured, reached) => {
  expect(targets.get(what)).toMatchObject({ measured, reached });
});

test('a run without any figures reaches nothing and misses nothing', () => {
  const none = targetsOf({ ...EXAMPLE_RESULT, sections: {}, missing: {} });
  expect(new Set(none.map(({ reached }) => reached))).toEqual(new Set([null]));
});

test('a run that was too short reaches nothing, but can miss', () => {
  const reachedBy = (more: Partial<EnduranceFigures>): unknown =>
    targetsOf({ ...EXAMPLE_RESULT, sections: { soak: { ...ENDURED, ...more } } }).find(
      ({ what }) => what === 'memory throughout, ten minutes',
    )?.reached;
  expect(reachedBy({})).toBe(true);
  expect(reachedBy({ seconds: 60 })).toBeNull();
  expect(reachedBy({ seconds: 60, peakRssBytes: 210 * 2 ** 20 })).toBe(false);
});

test.each([
  ['all there', ENDURED, '20,000,000 asked, none missing', true],
  [
    'some missing, with holes of as many bytes',
    { ...ENDURED, recorded: 19_999_999, bytes: { onTheWire: 100, inOperations: 60, inHoles: 40 } },
    '20,000,000 asked, 1 missing, holes of 40 bytes, which add up',
    true,
  ],
  [
    'some missing, and bytes that are nowhere',
    { ...ENDURED, recorded: 19_999_999, bytes: { onTheWire: 100, inOperations: 60, inHoles: 30 } },
    '20,000,000 asked, 1 missing, holes of 30 bytes; 10 bytes not accounted for',
    false,
  ],
  [
    'some missing without a hole',
    { ...ENDURED, recorded: 19_999_999, bytes: { onTheWire: 100, inOperations: 100, inHoles: 0 } },
    '20,000,000 asked, 1 missing, holes of 0 bytes, which add up',
    false,
  ],
])('an account of %s', (_, figures, account, accounted) => {
  expect(accountOf(figures)).toBe(account);
  expect(isAccountedFor(figures)).toBe(accounted);
});
