import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort, type PrivateRedis, type PrivateRedisOptions, startRedis } from '../../e2e/redis.js';
import { createLayer } from './create.js';
import type { ChannelLayer, LayerNotice, ReceiveStrategy, RedisOptions } from './layer.js';
import { encodeMember, RANDOM_BYTES, RECIPIENTS_KEY } from './message.js';
import { queueNameOf } from './names.js';
import { hostOf } from './placement.js';

const toStop: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0).reverse()) await stop();
});

async function redisServer(options: PrivateRedisOptions = {}): Promise<PrivateRedis> {
  const redis = await startRedis(options);
  toStop.push(() => redis.stop());
  return redis;
}

interface Told extends ChannelLayer {
  readonly notices: readonly LayerNotice[];
}

function open(hosts: readonly string[], receive: ReceiveStrategy, options: RedisOptions = {}): Told {
  const notices: LayerNotice[] = [];
  const layer = createLayer({
    layer: 'redis',
    hosts,
    receive,
    onNotice: (notice) => notices.push(notice),
    ...options,
  });
  toStop.push(() => layer.close());
  return Object.assign(layer, { notices });
}

const strategies = ['channels-redis', 'reliable'] as const;
const queueOf = (channel: string): string => `asgi${queueNameOf(channel)}`;
const down = { code: 'GAPTRACE_LAYER_REDIS_DOWN' };
const refused = { code: 'GAPTRACE_LAYER_REDIS_REFUSED' };

/** Resolves when a pop waits in this Redis, with the id of its connection. */
async function popping(redis: PrivateRedis): Promise<string> {
  const client = redis.client();
  for (;;) {
    const waiting = /^id=(\d+) .*flags=b .*cmd=bzpopmin/m.exec((await client.client('LIST')) as string);
    if (waiting?.[1] !== undefined) return waiting[1];
    await sleep(5);
  }
}

describe.each(strategies)('in Redis (%s)', (receive) => {
  it('a message waits in the queue of its process, with its recipients, a score and a TTL', async () => {
    const redis = await redisServer();
    const client = redis.client();
    const layer = open([redis.url], receive, { prefix: 'mine', expiry: 30, groupExpiry: 300 });
    const [a, b] = [await layer.newChannel(), await layer.newChannel('other')];
    await layer.groupAdd('room', a);
    expect(await client.ttl('mine:group:room')).toBeGreaterThan(290);
    const before = Date.now() / 1000 - 0.01;
    await layer.groupSend('room', { type: 'x' });
    await layer.send(a, { type: 'x' });
    await layer.send(b, { type: 'x' });

    const queue = `mine${queueNameOf(a)}`;
    expect((await client.keys('*')).sort()).toEqual(
      ['mine:group:room', queue, `mine${queueNameOf(b)}`].sort(),
    );
    expect(await client.ttl(queue)).toBeGreaterThan(25);
    const [first, firstScore, second, secondScore] = await client.zrangeBuffer(
      queue,
      '0',
      '-1',
      'WITHSCORES',
    );
    expect(first?.subarray(RANDOM_BYTES)).toEqual(
      Buffer.from(
        encodeMember({ type: 'x', [RECIPIENTS_KEY]: [a] }, new Uint8Array(RANDOM_BYTES)).subarray(
          RANDOM_BYTES,
        ),
      ),
    );
    expect(second?.subarray(RANDOM_BYTES)).toEqual(
      Buffer.from(
        encodeMember({ type: 'x', [RECIPIENTS_KEY]: a }, new Uint8Array(RANDOM_BYTES)).subarray(RANDOM_BYTES),
      ),
    );
    expect(first?.subarray(0, RANDOM_BYTES)).not.toEqual(second?.subarray(0, RANDOM_BYTES));
    expect(Number(firstScore)).toBeGreaterThan(before);
    expect(Number(secondScore)).toBeGreaterThan(Number(firstScore));
  });

  it('nothing is left of a message that was received', async () => {
    const redis = await redisServer();
    const layer = open([redis.url], receive);
    const channel = await layer.newChannel();
    await layer.send(channel, { type: 'x' });
    await layer.receive(channel);
    while ((await redis.client().keys('*')).length > 0) await sleep(5);
  });

  it('what was popped and never acknowledged comes again, once, before what came later', async () => {
    const redis = await redisServer();
    const layer = open([redis.url], receive);
    const channel = await layer.newChannel();
    const member = encodeMember(
      { type: 'x', n: 1, [RECIPIENTS_KEY]: channel },
      Buffer.alloc(RANDOM_BYTES, 7),
    );
    await redis
      .client()
      .zadd(`${queueOf(channel)}$inflight`, String(Date.now() / 1000 - 5), Buffer.from(member));
    await layer.send(channel, { type: 'x', n: 2 });
    expect([await layer.receive(channel), await layer.receive(channel)]).toEqual([
      { type: 'x', n: 1 },
      { type: 'x', n: 2 },
    ]);
  });

  it('what is no message is passed over, and said', async () => {
    const redis = await redisServer();
    const layer = open([redis.url], receive);
    const channel = await layer.newChannel();
    await redis.client().zadd(queueOf(channel), '1', 'not a message at all');
    await layer.groupAdd('room', channel);
    await layer.groupSend('room', { type: 'x' }); // its ZREMRANGEBYSCORE removes what is as old as that
    await redis.client().zadd(queueOf(channel), String(Date.now() / 1000 - 1), 'not a message at all');
    expect(await layer.receive(channel)).toEqual({ type: 'x' });
    expect(layer.notices).toEqual([
      {
        event: 'unreadable',
        level: 'warn',
        message: expect.stringMatching(/ cannot be read and is dropped: not msgpack/),
      },
    ]);
  });

  it('a channel of another process cannot be received from', async () => {
    const redis = await redisServer();
    const [layer, other] = [open([redis.url], receive), open([redis.url], receive)];
    await expect(layer.receive(await other.newChannel())).rejects.toMatchObject({
      code: 'GAPTRACE_LAYER_NAME',
    });
  });

  it('can be reached over a unix socket, or with a user, a password and a database', async () => {
    const redis = await redisServer({ unix: true, users: ['chat on >p@ss ~* &* +@all'] });
    for (const [url, db] of [
      [`unix://${redis.socketPath}?db=2`, 2],
      [`redis://chat:p%40ss@127.0.0.1:${redis.port}/3`, 3],
    ] as const) {
      const layer = open([url], receive);
      const channel = await layer.newChannel();
      await layer.send(channel, { type: 'x' });
      expect(await redis.client({ db }).zcard(queueOf(channel))).toBe(1);
      expect(await layer.receive(channel)).toEqual({ type: 'x' });
    }
  });
});

describe.each(strategies)('without Redis (%s)', (receive) => {
  it('what needs it says which is not there, and works once it is', async () => {
    const port = await freePort();
    const layer = open([`redis://127.0.0.1:${port}`], receive);
    const channel = await layer.newChannel();
    const why = {
      ...down,
      message: expect.stringMatching(`^no Redis at 127.0.0.1:${port}, or it went away: .*ECONNREFUSED`),
    };
    await expect(layer.check()).rejects.toMatchObject(why);
    await expect(layer.groupAdd('room', channel)).rejects.toMatchObject(why);
    await expect(layer.groupSend('room', { type: 'x' })).rejects.toMatchObject(why);
    await expect(layer.send(channel, { type: 'x' })).rejects.toMatchObject(why);
    await redisServer({ port });
    await layer.check();
    await layer.groupAdd('room', channel);
    await layer.groupSend('room', { type: 'x' });
    expect(await layer.receive(channel)).toEqual({ type: 'x' });
  });

  it('a wrong password is refused, and not repeated', async () => {
    const redis = await redisServer({ users: ['chat on >right ~* +@all'] });
    const layer = open([`redis://chat:wr0ng@127.0.0.1:${redis.port}`], receive);
    await expect(layer.check()).rejects.toMatchObject({
      ...refused,
      message: expect.stringMatching(
        /^(?!.*wr0ng)Redis at 127\.0\.0\.1:\d+ refuses the connection: WRONGPASS/,
      ),
    });
  });

  it('writes that it refuses are said, and the layer lives on', async () => {
    const redis = await redisServer();
    const client = redis.client();
    const layer = open([redis.url], receive);
    const channel = await layer.newChannel();
    await client.config('SET', 'maxmemory', '1');
    await expect(layer.groupAdd('room', channel)).rejects.toMatchObject({
      ...refused,
      message: expect.stringMatching(/ refuses ZADD: OOM /),
    });
    await expect(layer.send(channel, { type: 'x' })).rejects.toMatchObject(refused);
    await client.config('SET', 'maxmemory', '0');
    await layer.send(channel, { type: 'x' });
    expect(await layer.receive(channel)).toEqual({ type: 'x' });
  });
});

it('channels-redis: who receives when Redis goes away hears of it; the next try is a new one', async () => {
  const redis = await redisServer();
  const layer = open([redis.url], 'channels-redis');
  const channel = await layer.newChannel();
  const waiting = layer.receive(channel).catch((error: unknown) => error);
  await popping(redis);
  await redis.stop();
  expect(await waiting).toMatchObject(down);
  await expect(layer.receive(channel)).rejects.toMatchObject(down);
  await redisServer({ port: redis.port });
  await layer.send(channel, { type: 'x' });
  expect(await layer.receive(channel)).toEqual({ type: 'x' });
});

describe('reliable', () => {
  it('who receives when Redis goes away waits until it is back; the operator hears of both, once', async () => {
    const redis = await redisServer();
    const layer = open([redis.url], 'reliable');
    const channel = await layer.newChannel();
    const waiting = layer.receive(channel);
    await popping(redis);
    await redis.stop();
    while (layer.notices.length === 0) await sleep(5);
    await sleep(300); // some tries fail
    const back = await redisServer({ port: redis.port });
    await popping(back);
    await layer.send(channel, { type: 'x' });
    expect(await waiting).toEqual({ type: 'x' });
    expect(layer.notices.map(({ event, level }) => [event, level])).toEqual([
      ['redis-lost', 'warn'],
      ['redis-back', 'info'],
    ]);
  });

  it('its connection can be killed between messages: none is lost, none comes twice', async () => {
    const redis = await redisServer();
    const layer = open([redis.url], 'reliable');
    const channel = await layer.newChannel();
    for (let n = 0; n < 10; n++) {
      await layer.send(channel, { type: 'x', n });
      expect(await layer.receive(channel)).toEqual({ type: 'x', n });
      const id = await popping(redis);
      expect(await redis.client().call('CLIENT', 'KILL', 'ID', id)).toBe(1);
    }
  });

  it('a message that cannot be acknowledged is handed on once all the same', async () => {
    const redis = await redisServer({ users: ['chat on >p ~* +@all -zpopmin'] });
    const layer = open([`redis://chat:p@127.0.0.1:${redis.port}`], 'reliable');
    const channel = await layer.newChannel();
    const received: unknown[] = [];
    const reading = (async () => {
      while (received.length < 6) received.push((await layer.receive(channel)).n);
    })();
    for (let n = 0; n < 3; n++) {
      await layer.send(channel, { type: 'x', n });
      await sleep(100); // time for some restores of what is not acknowledged
    }
    await redis.client().call('ACL', 'SETUSER', 'chat', '+zpopmin');
    for (let n = 3; n < 6; n++) await layer.send(channel, { type: 'x', n });
    await reading;
    expect(received).toEqual([0, 1, 2, 3, 4, 5]);
    while ((await redis.client().keys('*')).length > 0) await sleep(5);
    expect(layer.notices.map(({ event }) => event)).toContain('redis-lost');
  });

  it('a message that cannot be backed up is handed on all the same', async () => {
    const redis = await redisServer();
    const client = redis.client();
    const layer = open([redis.url], 'reliable');
    const channel = await layer.newChannel();
    const waiting = layer.receive(channel);
    await popping(redis);
    // A pop needs no memory, a backup does. Both sends are done by Redis before anybody else is heard.
    const member = Buffer.from(
      encodeMember({ type: 'x', [RECIPIENTS_KEY]: channel }, Buffer.alloc(RANDOM_BYTES)),
    );
    await client.multi().zadd(queueOf(channel), '1', member).config('SET', 'maxmemory', '1').exec();
    expect(await waiting).toEqual({ type: 'x' });
    await client.config('SET', 'maxmemory', '0');
    await layer.send(channel, { type: 'y' });
    expect(await layer.receive(channel)).toEqual({ type: 'y' });
  });

  it('a general channel: what was popped for one who has left goes back, for anybody', async () => {
    const redis = await redisServer();
    const [layer, other] = [open([redis.url], 'reliable'), open([redis.url], 'reliable')];
    const leaving = new AbortController();
    const left = layer.receive('work', { signal: leaving.signal }).catch(() => 'left');
    await popping(redis);
    leaving.abort();
    expect(await left).toBe('left');
    await layer.send('work', { type: 'x' }); // the pop still waits, and takes it
    expect(await other.receive('work')).toEqual({ type: 'x' });
  });

  it('a general channel: a layer that is closed takes no message with it', async () => {
    const redis = await redisServer();
    const [layer, other] = [open([redis.url], 'reliable'), open([redis.url], 'reliable')];
    const waiting = layer.receive('work').catch((error: unknown) => error);
    await popping(redis);
    await layer.close();
    expect(await waiting).toMatchObject({ code: 'GAPTRACE_LAYER_CLOSED' });
    await other.send('work', { type: 'x' });
    expect(await other.receive('work')).toEqual({ type: 'x' });
    while ((await redis.client().keys('*')).length > 0) await sleep(5);
  });

  it('a general channel: many workers share the messages, each is had once', async () => {
    const hosts = [(await redisServer()).url, (await redisServer()).url];
    const workers = [open(hosts, 'reliable'), open(hosts, 'reliable'), open(hosts, 'reliable')];
    const sender = open(hosts, 'reliable', { capacity: 1_000 });
    const done: number[] = [];
    const working = workers.map(async (worker) => {
      for (;;) done.push(Number((await worker.receive('work')).n));
    });
    const ended = Promise.allSettled(working);
    const all = Array.from({ length: 200 }, (_, n) => n);
    // Begun before the first message: a worker that begins restores what another has just popped.
    await sleep(100);
    for (const n of all) await sender.send('work', { type: 'x', n });
    while (done.length < all.length) await sleep(5);
    for (const worker of workers) await worker.close();
    await ended;
    expect(done.sort((a, b) => a - b)).toEqual(all);
  });
});

it('on several hosts, channels-redis sends to a channel where nobody listens (channels_redis#221); reliable does not', async () => {
  const servers = [await redisServer(), await redisServer(), await redisServer()];
  const hosts = servers.map(({ url }) => url);
  const misplaced = async (layer: ChannelLayer): Promise<string> => {
    for (;;) {
      const channel = await layer.newChannel();
      if (hostOf(channel, 3) !== hostOf(queueNameOf(channel), 3)) return channel;
    }
  };
  const holders = async (channel: string): Promise<number[]> =>
    Promise.all(servers.map((server) => server.client().zcard(queueOf(channel))));

  const faithful = open(hosts, 'channels-redis');
  const lost = await misplaced(faithful);
  await faithful.send(lost, { type: 'x' });
  expect((await holders(lost))[hostOf(queueNameOf(lost), 3)]).toBe(0);
  expect((await holders(lost))[hostOf(lost, 3)]).toBe(1);

  const cured = open(hosts, 'reliable');
  const found = await misplaced(cured);
  await cured.send(found, { type: 'x' });
  expect(await cured.receive(found)).toEqual({ type: 'x' });
});
