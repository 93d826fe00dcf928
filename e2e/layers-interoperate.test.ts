import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { createLayer } from '../server/layers/create.js';
import type { ChannelLayer, LayerConfig } from '../server/layers/layer.js';
import { hostOf } from '../server/layers/placement.js';
import { type PythonLayer, type PythonLayerOptions, startPythonLayer } from './python-layer.js';
import { type PrivateRedis, startRedis } from './redis.js';

// One Redis, the real Python channels_redis 4.0.0 in one process and ours in another: each reaches the other, and both
// agree on who is a member, what is full, what is too old, and which host holds what.

const toStop: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
});

async function redisHost(): Promise<PrivateRedis> {
  const redis = await startRedis();
  toStop.push(() => redis.stop());
  return redis;
}

async function python(kind: 'core' | 'pubsub', options: PythonLayerOptions): Promise<PythonLayer> {
  const layer = await startPythonLayer(kind, options);
  toStop.push(() => layer.close());
  return layer;
}

function ours(config: LayerConfig): ChannelLayer {
  const layer = createLayer(config);
  toStop.push(() => layer.close());
  return layer;
}

const strategies = ['channels-redis', 'reliable'] as const;

const message = {
  type: 'chat_send',
  text_data: 'grüße 🎈',
  bytes_data: null,
  n: -7,
  many: [1, 2.5, { deep: true }],
};

test.each(strategies)('a group has members of both, and both send to it (%s)', async (receive) => {
  const redis = await redisHost();
  const theirs = await python('core', { hosts: [redis.url] });
  const layer = ours({ layer: 'redis', receive, hosts: [redis.url] });
  const [a, b] = [await theirs.newChannel(), await theirs.newChannel()];
  const [x, y] = [await layer.newChannel(), await layer.newChannel()];
  for (const channel of [a, b]) await theirs.groupAdd('room', channel);
  for (const channel of [x, y]) await layer.groupAdd('room', channel);

  await theirs.groupSend('room', { ...message, from: 'python' });
  await layer.groupSend('room', { ...message, from: 'ours' });
  for (const from of ['python', 'ours']) {
    const received = [theirs.receive(a), theirs.receive(b), layer.receive(x), layer.receive(y)];
    expect(await Promise.all(received)).toEqual(Array(4).fill({ ...message, from }));
  }
});

test.each(strategies)(
  'each sends to a channel of the other, and to a general channel (%s)',
  async (receive) => {
    const redis = await redisHost();
    const theirs = await python('core', { hosts: [redis.url] });
    const layer = ours({ layer: 'redis', receive, hosts: [redis.url] });
    const [a, x] = [await theirs.newChannel(), await layer.newChannel()];

    await theirs.send(x, message);
    expect(await layer.receive(x)).toEqual(message);
    await layer.send(a, message);
    expect(await theirs.receive(a)).toEqual(message);
    await theirs.send('work', message);
    expect(await layer.receive('work')).toEqual(message);
    await layer.send('work', message);
    expect(await theirs.receive('work')).toEqual(message);
  },
);

test('each adds and discards members of the other', async () => {
  const redis = await redisHost();
  const theirs = await python('core', { hosts: [redis.url] });
  const layer = ours({ layer: 'redis', hosts: [redis.url] });
  const [a, x] = [await theirs.newChannel(), await layer.newChannel()];
  await theirs.groupAdd('room', x);
  await layer.groupAdd('room', a);
  const client = redis.client();
  expect((await client.zrange('asgi:group:room', '0', '-1')).sort()).toEqual([a, x].sort());
  await theirs.groupDiscard('room', x);
  await layer.groupDiscard('room', a);
  expect(await client.exists('asgi:group:room')).toBe(0);
});

test('what one has filled is full for the other', async () => {
  const redis = await redisHost();
  const theirs = await python('core', { hosts: [redis.url], capacity: 3 });
  const layer = ours({ layer: 'redis', hosts: [redis.url], capacity: 3 });
  const [a, x] = [await theirs.newChannel(), await layer.newChannel()];
  for (const n of [1, 2, 3]) {
    await layer.send(a, { type: 'x', n });
    await theirs.send(x, { type: 'x', n });
  }
  await expect(layer.send(a, { type: 'x' })).rejects.toMatchObject({
    code: 'GAPTRACE_LAYER_FULL',
    capacity: 3,
  });
  await expect(theirs.send(x, { type: 'x' })).rejects.toMatchObject({ type: 'ChannelFull' });

  // And to a group: the full queues are passed over, by both.
  for (const channel of [a, x]) await layer.groupAdd('room', channel);
  await layer.groupSend('room', { type: 'x', n: 4 });
  await theirs.groupSend('room', { type: 'x', n: 5 });
  const [queueOfA, queueOfX] = [a, x].map((channel) => `asgi${channel.slice(0, channel.indexOf('!') + 1)}`);
  const client = redis.client();
  expect([await client.zcard(queueOfA as string), await client.zcard(queueOfX as string)]).toEqual([3, 3]);
});

test('a capacity for channels by name counts the same with both', async () => {
  const redis = await redisHost();
  const theirs = await python('core', { hosts: [redis.url], channel_capacity: { 'wo[rs]k*': 1 } });
  const layer = ours({ layer: 'redis', hosts: [redis.url], channelCapacity: [['wo[rs]k*', 1]] });
  await theirs.send('worker', { type: 'x' });
  await expect(layer.send('worker', { type: 'x' })).rejects.toMatchObject({ capacity: 1 });
  await layer.send('woskers', { type: 'x' });
  await expect(theirs.send('woskers', { type: 'x' })).rejects.toMatchObject({ type: 'ChannelFull' });
  await layer.send('wonkers', { type: 'x' });
  await theirs.send('wonkers', { type: 'x' });
});

test('what is too old for one is too old for the other: messages and members', async () => {
  const redis = await redisHost();
  const options = { hosts: [redis.url], expiry: 10, group_expiry: 10 };
  const theirs = await python('core', options);
  const layer = ours({ layer: 'redis', hosts: [redis.url], expiry: 10, groupExpiry: 10 });
  const [a, x] = [await theirs.newChannel(), await layer.newChannel()];
  const client = redis.client();
  // Written as if they had come 20 seconds ago, rather than waited for.
  const long = Date.now() / 1000 - 20;
  const stale = async (key: string, member: string): Promise<void> => {
    await client.zadd(key, String(long), member);
  };
  const queueOf = (channel: string): string => `asgi${channel.slice(0, channel.indexOf('!') + 1)}`;
  for (const [sender, receiver, channel] of [
    [theirs, layer, x],
    [layer, theirs, a],
  ] as const) {
    await stale(queueOf(channel), 'stale');
    await sender.send(channel, { type: 'x', fresh: true });
    expect(await client.zcard(queueOf(channel))).toBe(1);
    expect(await receiver.receive(channel)).toEqual({ type: 'x', fresh: true });

    await stale('asgi:group:room', 'stale.channel');
    await receiver.groupAdd('room', channel);
    await sender.groupSend('room', { type: 'x', group: true });
    expect(await client.zrange('asgi:group:room', '0', '-1')).not.toContain('stale.channel');
    expect(await receiver.receive(channel)).toEqual({ type: 'x', group: true });
    await receiver.groupDiscard('room', channel);
  }
  // A group and a queue live as long after either has touched them.
  for (const each of [theirs, layer]) {
    await each.groupAdd('lives', x);
    await each.send('waits', { type: 'x' });
    for (const key of ['asgi:group:lives', 'asgiwaits']) {
      const ttl = await client.ttl(key);
      expect(ttl).toBeGreaterThan(0);
      expect(ttl).toBeLessThanOrEqual(10);
      await client.persist(key);
    }
  }
});

test('both compute the same host for 1,000 names, whatever the number of hosts', async () => {
  const redis = await redisHost();
  const theirs = await python('core', { hosts: [redis.url] });
  const names = Array.from({ length: 1_000 }, (_, i) => {
    const process = createHash('md5').update(String(i)).digest('hex');
    return [`specific.${process}!`, `channels_group_room-${i}`, `raum_${i}_ü`, `worker.${i}`][
      i % 4
    ] as string;
  });
  for (const hosts of [1, 2, 3, 5, 7, 16])
    expect(names.map((name) => hostOf(name, hosts))).toEqual(await theirs.shards(names, hosts));
});

test.each(strategies)(
  'on three hosts, groups and queues are where the other looks for them (%s)',
  async (receive) => {
    const hosts = await Promise.all([redisHost(), redisHost(), redisHost()]);
    const urls = hosts.map(({ url }) => url);
    // A process has one queue, on one host: several processes, so that they do not all fall on the same.
    const layers: Omit<ChannelLayer, 'check'>[] = [
      await python('core', { hosts: urls }),
      await python('core', { hosts: urls }),
      ...Array.from({ length: 4 }, () => ours({ layer: 'redis', receive, hosts: urls })),
    ];
    const members = await Promise.all(
      layers.map(async (layer) => ({ layer, channel: await layer.newChannel() })),
    );
    for (let room = 0; room < 6; room++) {
      for (const { layer, channel } of members) await layer.groupAdd(`room-${room}`, channel);
      for (const { layer } of members) await layer.groupSend(`room-${room}`, { type: 'x', room });
      const received = await Promise.all(
        members.map(async ({ layer, channel }) => {
          const all = [];
          for (let i = 0; i < members.length; i++) all.push(await layer.receive(channel));
          return all;
        }),
      );
      expect(received).toEqual(members.map(() => members.map(() => ({ type: 'x', room }))));
    }
  },
);

test('over pub/sub too, and each publishes what the other is subscribed to', async () => {
  const redis = await redisHost();
  const theirs = await python('pubsub', { hosts: [redis.url] });
  const layer = ours({ layer: 'pubsub', hosts: [redis.url] });
  const [a, x] = [await theirs.newChannel(), await layer.newChannel()];
  expect(x).toMatch(/^asgispecific\.[0-9a-f]{32}$/);
  expect(a).toMatch(/^asgispecific\.[0-9a-f]{32}$/);
  await theirs.groupAdd('room', a);
  await layer.groupAdd('room', x);
  const client = redis.client();
  const subscribed = async (name: string): Promise<number> =>
    ((await client.call('PUBSUB', 'NUMSUB', name)) as [string, number])[1];
  while ((await subscribed('asgi__group__room')) < 2) await sleep(10);
  while ((await subscribed(a)) + (await subscribed(x)) < 2) await sleep(10);

  await theirs.groupSend('room', { ...message, from: 'python' });
  expect(await Promise.all([theirs.receive(a), layer.receive(x)])).toEqual(
    Array(2).fill({ ...message, from: 'python' }),
  );
  await layer.groupSend('room', { ...message, from: 'ours' });
  expect(await Promise.all([theirs.receive(a), layer.receive(x)])).toEqual(
    Array(2).fill({ ...message, from: 'ours' }),
  );
  await theirs.send(x, message);
  expect(await layer.receive(x)).toEqual(message);
  await layer.send(a, message);
  expect(await theirs.receive(a)).toEqual(message);
});
