import { expect, test } from 'vitest';
import { growthOf, setsOf } from './endurance.js';

const samples = (...bytes: readonly number[]) => bytes.map((each, at) => ({ seconds: at, bytes: each }));

test('growth is from the second fifth to the last: what a process fills at its start is not in it', () => {
  expect(growthOf(samples(10, 100, 100, 100, 100))).toBe(0);
  expect(growthOf(samples(10, 10, 100, 100, 300, 500, 120, 130, 150, 150))).toBe(0.5);
  expect(growthOf(samples(10, 10, 10, 10))).toBeNull();
});

test('calls of SET, and not of SETEX', () => {
  const stats = 'cmdstat_setex:calls=3,usec=1\r\ncmdstat_set:calls=20000004,usec=9\r\n';
  expect(setsOf(`# Commandstats\r\n${stats}`)).toBe(20_000_004);
  expect(setsOf('# Commandstats\r\n')).toBe(0);
});
