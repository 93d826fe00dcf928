import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { startRedis } from './redis.js';

test('a private server answers, saves nothing, and is gone after stop', async () => {
  const redis = await startRedis();
  const client = redis.client();
  expect(await client.set('a', '1')).toBe('OK');
  expect((await redis.info('persistence')).rdb_last_save_time).toBeDefined();
  expect(await client.config('GET', 'save')).toEqual(['save', '']);
  expect((await redis.info('server')).process_id).toBe(String(redis.pid));
  await redis.stop();
  expect(() => process.kill(redis.pid, 0)).toThrow('ESRCH');
  await redis.stop();
});

test('two servers at once, and one that comes back on its port', async () => {
  const [one, two] = await Promise.all([startRedis(), startRedis()]);
  expect(one.port).not.toBe(two.port);
  await one.stop('SIGKILL');
  const again = await startRedis({ port: one.port });
  expect(await again.client().ping()).toBe('PONG');
  await Promise.all([again.stop(), two.stop()]);
});

test('unix socket', async () => {
  const redis = await startRedis({ unix: true });
  const path = redis.socketPath ?? '';
  expect(await redis.client({ path }).ping()).toBe('PONG');
  await redis.stop();
  expect(existsSync(dirname(path))).toBe(false);
});

test('TLS, and a certificate to trust', async () => {
  const redis = await startRedis({ tls: true });
  expect(redis.url).toMatch(/^rediss:/);
  expect(await redis.client().ping()).toBe('PONG');
  await redis.stop();
});

test('users', async () => {
  const redis = await startRedis({ users: ['default on nopass ~* &* +@all', 'watcher on >secret +ping'] });
  const watcher = redis.client({ username: 'watcher', password: 'secret' });
  expect(await watcher.ping()).toBe('PONG');
  await expect(watcher.info()).rejects.toThrow('NOPERM');
  await redis.stop();
});

test('a stopped process does not keep stop() waiting for ever', async () => {
  const redis = await startRedis();
  const client = redis.client();
  await once(client, 'ready');
  process.kill(redis.pid, 'SIGSTOP');
  await redis.stop('SIGKILL');
});

test('a configuration that Redis refuses is an error with its log', async () => {
  await expect(startRedis({ config: ['no-such-setting 1'] })).rejects.toThrow('no-such-setting');
});
