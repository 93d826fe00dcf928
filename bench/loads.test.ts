/** The loads of our own, on a real Redis: that they ask what they say, counted by Redis. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PrivateRedis, startRedis } from '../demo/redis.js';
import { loadFanOut } from './fan-out-load.js';
import { loadLayer, OPERATIONS_A_MESSAGE } from './layer-load.js';

let redis: PrivateRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.stop());

async function calls(command: string): Promise<number> {
  const stats = await redis.info('commandstats');
  return Number(/calls=(\d+)/.exec(stats[`cmdstat_${command}`] ?? '')?.[1] ?? 0);
}

test('twenty messages to a group of ten are two hundred deliveries', async () => {
  const figures = await loadLayer(redis.port, 195);
  expect(figures.operations).toBe(20 * OPERATIONS_A_MESSAGE);
  expect(Math.round(figures.requestsPerSecond * figures.seconds)).toBe(200);
  expect(figures.p50Ms).toBeLessThanOrEqual(figures.p999Ms);
  expect(await calls('multi')).toBe(20);
  // Each is popped once; ten pops more were under way when it ended.
  expect(await calls('bzpopmin')).toBeGreaterThanOrEqual(200);
  expect(await redis.client().keys('*')).toEqual([]);
});

test('a message to fifty subscribers is fifty deliveries', async () => {
  const figures = await loadFanOut(redis.port, 1_000);
  expect(figures.operations).toBe(20);
  expect(Math.round(figures.requestsPerSecond * figures.seconds)).toBe(1_000);
  expect(await calls('publish')).toBe(20);
});
