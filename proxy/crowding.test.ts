import { describe, expect, it } from 'vitest';
import { Crowding } from './crowding.js';

/** Of a thread that has waited so many milliseconds when asked for the nth time, every 100 ms. */
function watch(waitedMs: readonly number[]): Crowding {
  let [reads, atMs] = [0, 0];
  return new Crowding(
    () => `1 ${(waitedMs[reads++] ?? 0) * 1e6} 1`,
    () => {
      atMs += 100;
      return atMs;
    },
  );
}

describe('the share of time that the forwarding thread waits for a core', () => {
  it('is that since the last time it was asked for', () => {
    const crowding = watch([1000, 1020, 1020, 1095]);
    expect(crowding.share()).toBeCloseTo(0.2);
    expect(crowding.share()).toBe(0);
    expect(crowding.share()).toBeCloseTo(0.75);
  });

  it('is never more than all of it', () => {
    expect(watch([0, 500]).share()).toBe(1);
  });

  it('is 0 where the system does not count it, or counts it otherwise', () => {
    const missing = new Crowding(() => {
      throw new Error('ENOENT');
    });
    expect(missing.share()).toBe(0);
    expect(new Crowding(() => 'unknown').share()).toBe(0);
  });

  it('can be asked for on this system', () => {
    expect(new Crowding().share()).toBeGreaterThanOrEqual(0);
  });
});
