/**
 * Why a Django consumer sometimes stays behind when its client has gone, and uvicorn waits for it for ever: not by the consumer's doing.
 * redis-py 4.3.4 swallows a cancellation that comes while a command looks whether its connection is clean; there is no Channels here.
 */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ROOT, run } from './processes.js';
import { startRedis } from './redis.js';

test('redis-py swallows a cancellation at some turns of the event loop, and not at others', async () => {
  const redis = await startRedis();
  const { status, stdout, stderr } = await run('/usr/bin/python3', [
    join(ROOT, 'e2e/swallowed_cancel.py'),
    redis.url,
  ]);
  await redis.stop();
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const swallowed = JSON.parse(stdout) as number[];
  expect(swallowed.length).toBeGreaterThan(0);
  expect(swallowed.length).toBeLessThan(8);
});
