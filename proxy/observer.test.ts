import { afterEach, expect, test } from 'vitest';
import { FakeRedis } from '../e2e/proxied.js';
import { startRedis } from '../e2e/redis.js';
import { createLog } from '../terminal/log.js';
import { Observer } from './observer.js';
import type { Note } from './tape.js';
import { Upstream } from './upstream.js';

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

function observe(url: string) {
  const notes: Note[] = [];
  const log: string[] = [];
  let wake = (): void => {};
  const observer = Observer.start({
    upstream: Upstream.parse(url),
    note: (note) => {
      notes.push(note);
      wake();
    },
    log: createLog((line) => log.push(line), {}),
    everyMs: 20,
  });
  running.push(observer);
  const meta = (): Record<string, string> =>
    Object.assign({}, ...notes.filter(({ note }) => note === 'meta').map(({ values }) => values));
  const samples = () => notes.filter(({ note }) => note === 'redis-sample').map(({ values }) => values);
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise<void>((resolve) => (wake = resolve));
  };
  return { observer, notes, log, meta, samples, until };
}

test('says which Redis it is, and samples INFO', async () => {
  const redis = await startRedis({ config: ['maxmemory-policy allkeys-lru'] });
  running.push(redis);
  const { meta, samples, until } = observe(redis.url);
  await until(() => samples().length >= 2);
  const info = await redis.info('server');
  expect(meta()).toEqual({
    redis_version: info.redis_version,
    redis_run_id: info.run_id,
    redis_role: 'master',
    redis_maxmemory_policy: 'allkeys-lru',
    observer: 'ok',
  });
  expect(samples()[0]).toMatchObject({
    run_id: info.run_id,
    role: 'master',
    evicted_keys: '0',
    expired_keys: '0',
  });
  expect(Object.keys(samples()[0] ?? {})).toEqual(
    expect.arrayContaining(['connected_clients', 'used_memory', 'total_commands_processed']),
  );
});

test('uses the credentials of the URL', async () => {
  const redis = await startRedis({ users: ['default off', 'watcher on >s3cr3t +info'] });
  running.push(redis);
  const { meta, until } = observe(redis.url.replace('//', '//watcher:s3cr3t@'));
  await until(() => meta().observer !== undefined);
  expect(meta().observer).toBe('ok');
});

test.each([
  ['NOPERM', { users: ['default on nopass ~* &* -@all +ping'] }, ''],
  ['NOAUTH', { config: ['requirepass other'] }, ''],
  ['WRONGPASS', { users: ['watcher on >other +@all'] }, 'watcher:s3cr3t@'],
])('where it is refused (%s) it says so', async (code, options, credentials) => {
  const redis = await startRedis(options);
  running.push(redis);
  const { meta, samples, until, notes, log } = observe(redis.url.replace('//', `//${credentials}`));
  await until(() => meta().observer !== undefined);
  expect(meta().observer).toMatch(new RegExp(`^refused: ${code} `));
  expect(samples()).toEqual([]);
  expect(log.join('')).toContain(code);
  expect(JSON.stringify(notes) + log.join('')).not.toContain('s3cr3t');
});

test('by unix socket', async () => {
  const redis = await startRedis({ unix: true });
  running.push(redis);
  const { meta, until } = observe(`unix:${redis.socketPath}`);
  await until(() => meta().observer !== undefined);
  expect(meta().observer).toBe('ok');
});

test('an unreachable Redis is said once; when it is back under another run_id, that is noted', async () => {
  const redis = await startRedis();
  const { meta, samples, until, log } = observe(redis.url);
  await until(() => samples().length >= 1);
  const first = meta().redis_run_id;
  await redis.stop();
  await until(() => meta().observer !== 'ok');
  await until(() => meta().observer === 'unreachable: ECONNREFUSED');
  const again = await startRedis({ port: redis.port });
  running.push(again);
  await until(() => meta().redis_run_id_change_1 !== undefined && meta().observer === 'ok');
  const { run_id } = await again.info('server');
  expect(meta().redis_run_id_change_1).toBe(`${first} -> ${run_id}`);
  expect(meta().redis_run_id).toBe(first);
  expect(log.filter((line) => line.includes('unreachable')).length).toBeLessThanOrEqual(2);
});

test('a Redis that does not answer keeps nobody from stopping', async () => {
  const silent = await FakeRedis.start();
  running.push(silent);
  const { observer, notes } = observe(silent.url);
  await observer.stop();
  expect(notes).toEqual([]);
});
