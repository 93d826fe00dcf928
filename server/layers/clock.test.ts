import { afterEach, expect, it, vi } from 'vitest';
import { secondsNow } from './clock.js';

afterEach(() => {
  vi.useRealTimers();
});

it('is the wall clock, in seconds', () => {
  const before = Date.now() / 1000;
  const now = secondsNow();
  const after = Date.now() / 1000;
  // Counted by another clock in between, it may be off by what that drifts before it is set again.
  expect(now).toBeGreaterThan(before - 0.006);
  expect(now).toBeLessThan(after + 0.006);
});

it('never gives the same time twice, nor an earlier one', () => {
  const times = Array.from({ length: 20_000 }, secondsNow);
  expect(times.every((time, i) => i === 0 || time > (times[i - 1] as number))).toBe(true);
});

it('follows the wall clock where that is set', () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  for (const date of ['2030-01-01', '2026-01-01']) {
    vi.setSystemTime(new Date(date));
    expect(secondsNow()).toBeCloseTo(Date.parse(date) / 1000, 1);
  }
});
