import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type PrivateRedis, startRedis } from '../../e2e/redis.js';
import type { RedisReply } from './commands.js';
import { redisHosts } from './hosts.js';
import { RedisPool } from './pool.js';

let redis: PrivateRedis;
let pool: RedisPool;

beforeEach(async () => {
  redis = await startRedis();
  pool = new RedisPool(redisHosts([redis.url])[0]!);
});
afterEach(async () => {
  pool.close(true);
  await redis.stop();
});

const id = (signal?: AbortSignal): Promise<RedisReply> => pool.send(['CLIENT', 'ID'], signal);
/** Holds a connection until `release` is called, which resolves when it is back in the pool; gives its id. */
async function hold(): Promise<{ readonly id: RedisReply; release(): Promise<void> }> {
  return new Promise((resolve, reject) => {
    const held: Promise<void> = pool.use(async (connection) => {
      const own = await connection.send(['CLIENT', 'ID']);
      await new Promise<void>((end) => {
        resolve({
          id: own,
          release: () => {
            end();
            return held;
          },
        });
      });
    });
    held.catch(reject);
  });
}
/** Resolves when a command waits in Redis. */
async function blocked(): Promise<void> {
  while (!((await redis.client().client('LIST')) as string).includes('flags=b')) await sleep(5);
}

it('uses one connection for commands one after the other, and one each for those at the same time', async () => {
  const [first, again] = [await id(), await id()];
  expect(again).toBe(first);
  expect(new Set(await Promise.all([id(), id(), id()])).size).toBe(3);
});

it('takes the connection that was used last', async () => {
  const [a, b] = [await hold(), await hold()];
  await a.release();
  await b.release();
  expect([await id(), await id()]).toEqual([b.id, b.id]);
});

it('cuts the connection on which a command is cancelled, and connects anew in its place', async () => {
  const [a, b] = [await hold(), await hold()];
  await a.release();
  await b.release();
  const cancelled = new AbortController();
  const reason = new Error('left');
  const popping = pool.send(['BZPOPMIN', 'empty', 5], cancelled.signal);
  await blocked();
  cancelled.abort(reason);
  await expect(popping).rejects.toBe(reason);
  // The other one is idle, and is not taken.
  expect([a.id, b.id]).not.toContain(await id());
  while (((await redis.client().client('LIST')) as string).includes(`id=${b.id} `)) await sleep(5);
});

it('a signal that is aborted already sends nothing; one that is aborted afterwards cuts nothing', async () => {
  const cancelled = new AbortController();
  const first = await id(cancelled.signal);
  cancelled.abort();
  await expect(pool.send(['SET', 'key', 'value'], cancelled.signal)).rejects.toBe(cancelled.signal.reason);
  expect(await id()).toBe(first);
  expect(await pool.send(['EXISTS', 'key'])).toBe(0);
});

it('a connection is used on after an error reply', async () => {
  const first = await id();
  await expect(pool.send(['NONSENSE'])).rejects.toMatchObject({ code: 'GAPTRACE_LAYER_REDIS_REFUSED' });
  await expect(
    pool.transaction([
      ['SET', 'key', 'text'],
      ['ZADD', 'key', 1, 'member'],
    ]),
  ).rejects.toMatchObject({
    code: 'GAPTRACE_LAYER_REDIS_REFUSED',
    message: expect.stringContaining('WRONGTYPE'),
  });
  expect(await id()).toBe(first);
});

it('a connection that Redis has closed is replaced', async () => {
  const first = await id();
  await redis.client().call('CLIENT', 'KILL', 'ID', String(first));
  // It is known to have ended as soon as the socket says so; until then a command can still fail on it.
  let second = first;
  while (second === first) second = await id().catch(() => first);
  expect(second).not.toBe(first);
});

it('closed, it sends nothing any more, and ends what is under way', async () => {
  const popping = pool.send(['BZPOPMIN', 'empty', 5]).catch((error: unknown) => error);
  await blocked();
  pool.close(true);
  expect(await popping).toMatchObject({ code: 'GAPTRACE_LAYER_REDIS_DOWN' });
  await expect(id()).rejects.toMatchObject({ code: 'GAPTRACE_LAYER_CLOSED' });
});

it('closed while it connects, it leaves no connection behind', async () => {
  const connecting = id().catch((error: unknown) => error);
  pool.close(true);
  expect(await connecting).toMatchObject({ code: 'GAPTRACE_LAYER_CLOSED' });
});
