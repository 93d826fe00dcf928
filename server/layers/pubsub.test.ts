import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { freePort, type PrivateRedis, startRedis } from '../../e2e/redis.js';
import type { LayerNotice } from './layer.js';
import { PubSubLayer } from './pubsub.js';

let redis: PrivateRedis;
let layer: PubSubLayer;
let notices: LayerNotice[];

beforeEach(async () => {
  redis = await startRedis();
  notices = [];
  layer = new PubSubLayer({ hosts: [redis.url], onNotice: (notice) => notices.push(notice) });
});
afterEach(async () => {
  await layer.close();
  await redis.stop();
});

const subscribers = async (name: string): Promise<number> =>
  ((await redis.client().call('PUBSUB', 'NUMSUB', name)) as [string, number])[1];
async function until(name: string, count: number): Promise<void> {
  while ((await subscribers(name)) !== count) await sleep(5);
}
/** Cuts every connection that is subscribed. */
async function cutSubscriptions(): Promise<void> {
  expect(await redis.client().call('CLIENT', 'KILL', 'TYPE', 'pubsub')).toBe(1);
}
async function member(group: string): Promise<string> {
  const channel = await layer.newChannel();
  await layer.groupAdd(group, channel);
  await until(channel, 1);
  await until(`asgi__group__${group}`, 1);
  return channel;
}

it('loses what is published while it is not subscribed, and subscribes again by itself', async () => {
  const channel = await member('room');
  await cutSubscriptions();
  expect(await subscribers('asgi__group__room')).toBe(0);
  await layer.groupSend('room', { type: 'x', n: 1 });
  await until('asgi__group__room', 1);
  await until(channel, 1);
  await layer.groupSend('room', { type: 'x', n: 2 });
  expect(await layer.receive(channel)).toEqual({ type: 'x', n: 2 });
  expect(notices.map(({ event, level }) => [event, level])).toEqual([
    ['redis-lost', 'warn'],
    ['redis-back', 'info'],
  ]);
});

it('a subscription in between brings all the others back with it', async () => {
  const channel = await member('room');
  await cutSubscriptions();
  while (notices.length === 0) await sleep(1);
  const other = await layer.newChannel();
  expect(notices.map(({ event }) => event)).toEqual(['redis-lost', 'redis-back']);
  await until(other, 1);
  await until('asgi__group__room', 1);
  await layer.groupSend('room', { type: 'x' });
  expect(await layer.receive(channel)).toEqual({ type: 'x' });
});

it('comes back when Redis does; who waits waits on', async () => {
  const channel = await member('room');
  const waiting = layer.receive(channel);
  const { port } = redis;
  await redis.stop();
  await expect(layer.groupSend('room', { type: 'x' })).rejects.toMatchObject({
    code: 'GAPTRACE_LAYER_REDIS_DOWN',
  });
  redis = await startRedis({ port });
  await until('asgi__group__room', 1);
  await layer.groupSend('room', { type: 'x' });
  expect(await waiting).toEqual({ type: 'x' });
  expect(notices.map(({ event }) => event)).toEqual(['redis-lost', 'redis-back']);
});

it('without Redis, a new channel says which is not there', async () => {
  const port = await freePort();
  const lonely = new PubSubLayer({ hosts: [`redis://127.0.0.1:${port}`] });
  await expect(lonely.newChannel()).rejects.toMatchObject({
    code: 'GAPTRACE_LAYER_REDIS_DOWN',
    message: expect.stringContaining(`127.0.0.1:${port}`),
  });
  await lonely.close();
});

it('a channel is unsubscribed when its receive is cancelled, a group when its last member has left', async () => {
  const [a, b] = [await member('room'), await member('room')];
  const leaving = new AbortController();
  const left = layer.receive(a, { signal: leaving.signal }).catch(() => 'left');
  leaving.abort();
  expect(await left).toBe('left');
  await until(a, 0);
  expect(await subscribers(b)).toBe(1);
  await layer.groupDiscard('room', a);
  expect(await subscribers('asgi__group__room')).toBe(1);
  await layer.groupDiscard('room', b);
  await until('asgi__group__room', 0);
});

it('only a channel of this process can be in a group', async () => {
  await expect(layer.groupAdd('room', 'asgispecific.elsewhere')).rejects.toMatchObject({
    code: 'GAPTRACE_LAYER_NAME',
  });
});

it('what is no message is passed over, and said', async () => {
  const channel = await member('room');
  for (const payload of [Buffer.from('{"json": true}'), Buffer.from([0x93, 1, 2, 3])])
    await redis.client().publish('asgi__group__room', payload);
  await layer.groupSend('room', { type: 'x' });
  expect(await layer.receive(channel)).toEqual({ type: 'x' });
  expect(notices.map(({ event, message }) => [event, message])).toEqual([
    ['unreadable', expect.stringMatching(/^a message of asgi__group__room cannot be read and is dropped: /)],
    ['unreadable', expect.stringMatching(/it is not a map$/)],
  ]);
});

it('a user who may not subscribe is told', async () => {
  await redis.client().call('ACL', 'SETUSER', 'chat', 'on', '>p', '~*', '&*', '+@all', '-subscribe');
  const refused = new PubSubLayer({
    hosts: [`redis://chat:p@127.0.0.1:${redis.port}`],
    onNotice: (notice) => notices.push(notice),
  });
  await refused.newChannel();
  while (notices.length === 0) await sleep(5);
  expect(notices[0]?.message).toMatch(/refuses to subscribe: NOPERM/);
  await refused.close();
});
