import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import { MemoryTape } from '../e2e/memory-tape.js';
import { FakeRedis, type Proxied, RawClient, startProxied } from '../e2e/proxied.js';
import { type PrivateRedis, startRedis } from '../e2e/redis.js';

const running: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await each.stop();
});

async function keep<T extends { stop(): Promise<void> }>(starting: Promise<T>): Promise<T> {
  const started = await starting;
  running.push(started);
  return started;
}

const ended = (tape: MemoryTape, count = 1): Promise<void> =>
  tape.until(({ connections }) => connections.filter((each) => each.ended).length >= count);

/** Numbers from 0 up to `below`, the same in each run. */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

/** Until nothing moves any more: the buffers on the way are full. */
async function untilStill(amount: () => number): Promise<void> {
  for (let before = -1, still = 0; still < 5; before = amount()) {
    await new Promise((resolve) => setTimeout(resolve, 40));
    still = amount() === before ? still + 1 : 0;
  }
}

describe('with a real Redis', () => {
  async function start(latency?: { latencyUs: number; jitterUs: number }): Promise<[PrivateRedis, Proxied]> {
    const redis = await keep(startRedis());
    return [redis, await keep(startProxied(redis.url, latency === undefined ? {} : { latency }))];
  }

  test('forwards and records a request, its reply, and a close by the client', async () => {
    const [redis, { port, tape }] = await start();
    const client = new RawClient(port);
    await client.ask('PING\r\n', '+PONG\r\n');
    client.socket.end();
    await client.closed();
    await ended(tape);
    expect(client.fate).toEqual(['end', 'close']);
    const taped = tape.connection(1);
    expect(taped.opened.upstream).toBe(redis.url);
    expect(taped.opened.client).toMatch(/^127\.0\.0\.1:\d+$/);
    expect(Buffer.concat(taped.client).toString()).toBe('PING\r\n');
    expect(Buffer.concat(taped.redis).toString()).toBe('+PONG\r\n');
    expect(taped.events).toEqual(['client 6', 'redis 7 flushed', 'closed by client fin', 'ended']);
    expect(taped.closed).toEqual({ by: 'client', how: 'fin', unflushedToClient: 0, unflushedToRedis: 0 });
  });

  test('a client that half-closes still gets what Redis answers before it closes', async () => {
    const [, { port, tape }] = await start();
    const client = new RawClient(port);
    client.socket.end('ECHO one\r\nECHO two\r\n');
    await client.closed();
    await ended(tape);
    // Redis reads both requests and the FIN, and answers before it closes.
    expect(client.received.toString()).toBe('$3\r\none\r\n$3\r\ntwo\r\n');
    expect(tape.connection(1).closed).toMatchObject({ by: 'client', how: 'fin' });
  });

  test('a reset by the client', async () => {
    const [, { port, tape }] = await start();
    const client = new RawClient(port);
    await client.ask('PING\r\n', '+PONG\r\n');
    client.socket.resetAndDestroy();
    await ended(tape);
    expect(tape.connection(1).closed).toMatchObject({ by: 'client', how: 'reset', detail: 'ECONNRESET' });
  });

  test('Redis closes a connection', async () => {
    const [redis, { port, tape }] = await start();
    const client = new RawClient(port);
    await client.ask('PING\r\n', '+PONG\r\n');
    const killed = await redis.client().call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    expect(killed).toBeGreaterThan(0);
    await client.ended();
    client.socket.end();
    await ended(tape);
    expect(tape.connection(1).closed).toMatchObject({ by: 'redis', how: 'fin' });
  });

  test('no Redis, then one, then none again, then one again', async () => {
    const redis = await startRedis();
    await redis.stop();
    const { port, tape, log } = await keep(startProxied(redis.url));
    for (const _ of [1, 2]) {
      const client = new RawClient(port);
      client.socket.write('PING\r\n');
      await client.closed();
      expect(client.fate).toEqual(['ECONNRESET', 'close']);
    }
    await ended(tape, 2);
    expect(tape.connection(2).closed).toMatchObject({ by: 'redis', how: 'error', detail: 'ECONNREFUSED' });
    expect(log.join('')).toMatch(/cannot connect to redis:.*ECONNREFUSED/);
    expect(log).toHaveLength(1);

    const again = await startRedis({ port: redis.port });
    const client = new RawClient(port);
    await client.ask('PING\r\n', '+PONG\r\n');
    expect(log.at(-1)).toContain('can be reached again');
    await again.stop('SIGKILL');
    await client.ended();
    client.socket.end();
    await keep(startRedis({ port: redis.port }));
    const next = new RawClient(port);
    await next.ask('PING\r\n', '+PONG\r\n');
    next.socket.destroy();
  });

  test('unix socket and TLS upstream', async () => {
    const unix = await keep(startRedis({ unix: true }));
    const tls = await keep(startRedis({ tls: true }));
    // The certificate is its own authority: trusted the way users do it is tested with the whole program.
    const refusing = await keep(startProxied(tls.url));
    const stranger = new RawClient(refusing.port);
    await stranger.closed();
    await ended(refusing.tape);
    expect(refusing.tape.connection(1).closed).toMatchObject({
      by: 'redis',
      how: 'error',
      detail: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    });

    const { port } = await keep(startProxied(`unix:${unix.socketPath}`));
    const client = new RawClient(port);
    await client.ask('PING\r\n', '+PONG\r\n');
    client.socket.destroy();
  });

  test('latency keeps the order of bytes and of the close', async () => {
    const [, { port, tape }] = await start({ latencyUs: 3_000, jitterUs: 3_000 });
    const client = new RawClient(port);
    const words = Array.from({ length: 200 }, (_, index) => `word${index}`);
    for (const word of words) {
      client.socket.write(`ECHO ${word}\r\n`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    client.socket.end();
    await client.closed();
    await ended(tape);
    expect(client.received.toString().match(/word\d+/g)).toEqual(words);
    expect(tape.connection(1).flushed).toBe(client.received.length);
    expect(tape.connection(1).events.filter((event) => event.endsWith(' flushed'))).toEqual([]);
  });

  test('a subscriber that does not read is closed by Redis, for the proxy does not read for it', async () => {
    const redis = await keep(startRedis({ config: ['client-output-buffer-limit pubsub 1mb 0 0'] }));
    const { port, tape } = await keep(
      startProxied(redis.url, { tape: new MemoryTape({ keepBytes: false }) }),
    );
    const client = new RawClient(port);
    await client.ask('SUBSCRIBE news\r\n', 'subscribe');
    client.socket.pause();
    const publisher = redis.client();
    const message = Buffer.alloc(64 * 1024, 'x');
    let counted = 1;
    for (let n = 0; counted === 1 && n < 1000; n++) counted = await publisher.publish('news', message);
    expect(counted).toBe(0); // Redis has closed the subscriber, which has not read anything
    client.socket.resume();
    await client.ended();
    client.socket.end();
    await ended(tape);
    expect(tape.connection(1).closed).toMatchObject({ by: 'redis' });
    expect(client.received.length).toBe(tape.connection(1).fromRedis);
  });

  test('random garbage is forwarded like anything else', async () => {
    const [, { port, tape }] = await start();
    const random = seeded(7);
    for (let round = 1; round <= 50; round++) {
      const garbage = Buffer.from(Array.from({ length: 200 }, () => random(256)));
      const client = new RawClient(port);
      client.socket.end(garbage);
      await client.closed();
    }
    await ended(tape, 50);
    const client = new RawClient(port);
    await client.ask('PING\r\n', '+PONG\r\n');
    client.socket.destroy();
  });

  test('a recording that throws does not stop forwarding', async () => {
    const redis = await keep(startRedis());
    const broken = (): never => {
      throw new Error('broken recording');
    };
    const thrown: unknown[] = [];
    const { port } = await keep(
      startProxied(redis.url, {
        recording: {
          nowUs: () => 0,
          opened: broken,
          clientBytes: broken,
          redisBytes: broken,
          flushed: broken,
          closed: broken,
          ended: broken,
        },
        onRecordingThrew: (error) => thrown.push(error),
      }),
    );
    const client = new RawClient(port);
    await client.ask('PING\r\n', '+PONG\r\n');
    client.socket.end();
    await client.closed();
    expect(thrown.length).toBeGreaterThanOrEqual(4);
  });

  test('stop closes what is open, says that the proxy did, and lets the last replies through', async () => {
    const redis = await keep(startRedis());
    const { port, tape, listener } = await startProxied(redis.url);
    const clients = [1, 2, 3].map(() => new RawClient(port));
    for (const client of clients) await client.ask('PING\r\n', '+PONG\r\n');
    await listener.stop();
    for (const client of clients) await client.ended();
    for (const taped of tape.connections) {
      expect(taped.closed).toMatchObject({ by: 'proxy', how: 'fin' });
      expect(taped.ended).toBe(true);
    }
    const late = new RawClient(port);
    await late.closed();
    expect(late.fate).toEqual(['ECONNREFUSED', 'close']);
  });
});

describe('with a fake Redis', () => {
  async function start(): Promise<[FakeRedis, Proxied]> {
    const redis = await keep(FakeRedis.start());
    return [redis, await keep(startProxied(redis.url, { tape: new MemoryTape({ keepBytes: false }) }))];
  }

  test('what Redis answers to a client that was reset is read and recorded', async () => {
    const [fake, { port, tape }] = await start();
    const accepted = fake.connection();
    const client = new RawClient(port);
    const redis = await accepted;
    client.socket.write('BZPOPMIN k 0\r\n');
    await once(redis, 'data');
    client.socket.resetAndDestroy();
    await once(redis, 'end'); // Redis is told by a FIN
    redis.end('*3\r\n$1\r\nk\r\n$1\r\nm\r\n$1\r\n1\r\n');
    await ended(tape);
    expect(tape.connection(1).events).toEqual(['client 14', 'closed by client reset', 'redis 25', 'ended']);
    expect(tape.connection(1).flushed).toBe(0);
  });

  test('a reply to a client that has closed altogether: the kernel may take the first bytes, never counts the rest', async () => {
    const [fake, { port, tape }] = await start();
    const accepted = fake.connection();
    const client = new RawClient(port);
    const redis = await accepted;
    client.socket.destroy(); // a FIN, and nobody left to read
    await once(redis.resume(), 'end');
    redis.write('+late\r\n');
    await tape.until(() => tape.connection(1).fromRedis === 7);
    await tape.until(() => true);
    await untilStill(() => tape.connection(1).events.length); // the reset that the first bytes are answered with
    redis.end('+later\r\n');
    await ended(tape);
    expect(tape.connection(1).closed).toMatchObject({ by: 'client', how: 'fin' });
    expect(tape.connection(1).fromRedis).toBe(15);
    expect(tape.connection(1).flushed).toBe(7);
  });

  test('a reset by Redis reaches the client, after what was read', async () => {
    const [fake, { port, tape }] = await start();
    const accepted = fake.connection();
    const client = new RawClient(port);
    const redis = await accepted;
    redis.write('+hello\r\n');
    await client.until('+hello');
    redis.resetAndDestroy();
    await client.closed();
    expect(client.fate).toEqual(['ECONNRESET', 'close']);
    await ended(tape);
    expect(tape.connection(1).closed).toMatchObject({ by: 'redis', how: 'reset', detail: 'ECONNRESET' });
  });

  test('a slow reader loses nothing to a reset by Redis', async () => {
    const [fake, { port, tape }] = await start();
    const accepted = fake.connection();
    const client = new RawClient(port);
    client.socket.pause();
    const redis = await accepted;
    const bytes = 3_000_000;
    redis.write(Buffer.alloc(bytes, 'x'));
    await untilStill(() => tape.connection(1).fromRedis);
    const read = tape.connection(1).fromRedis;
    expect(read).toBeGreaterThan(1_000_000); // more than the client's kernel has room for
    redis.resetAndDestroy();
    await tape.until(() => tape.connection(1).closed !== null || tape.connection(1).fromRedis === read);
    client.socket.resume();
    await client.closed();
    await ended(tape);
    expect(client.received.length).toBe(tape.connection(1).fromRedis);
    expect(client.fate).toEqual(['ECONNRESET', 'close']);
  });

  test('backpressure: a client that does not read makes Redis wait, not the memory grow', async () => {
    const [fake, { port, tape }] = await start();
    const accepted = fake.connection();
    const client = new RawClient(port);
    client.socket.pause();
    const redis = await accepted;
    const total = 128 * 1024 * 1024;
    redis.end(Buffer.alloc(total, 'x'));
    await untilStill(() => tape.connection(1).fromRedis);
    const taped = tape.connection(1);
    expect(taped.fromRedis).toBeLessThan(total / 2);
    expect(taped.fromRedis - taped.flushed).toBeLessThan(256 * 1024);

    let received = 0;
    client.socket.removeAllListeners('data');
    client.socket.on('data', (chunk) => {
      received += chunk.length;
    });
    client.socket.resume();
    await client.ended();
    client.socket.end();
    await ended(tape);
    expect(received).toBe(total);
    expect(taped.flushed).toBe(total);
  });

  test('backpressure the other way: a Redis that does not read makes the client wait', async () => {
    const [fake, { port, tape }] = await start();
    const accepted = fake.connection();
    const client = new RawClient(port);
    const redis = await accepted;
    redis.pause();
    const total = 128 * 1024 * 1024;
    client.socket.end(Buffer.alloc(total, 'x'));
    await untilStill(() => tape.connection(1).fromClient);
    expect(tape.connection(1).fromClient).toBeLessThan(total / 2);
    let received = 0;
    redis.on('data', (chunk) => {
      received += chunk.length;
    });
    await once(redis.resume(), 'end');
    redis.end();
    await ended(tape);
    expect(received).toBe(total);
  });

  test('a Redis that is reset while it does not read: what it was not given is counted', async () => {
    const [fake, { port, tape }] = await start();
    const accepted = fake.connection();
    const client = new RawClient(port);
    const redis = await accepted;
    redis.pause();
    client.socket.write(Buffer.alloc(32 * 1024 * 1024, 'x'));
    await untilStill(() => tape.connection(1).fromClient);
    redis.resetAndDestroy();
    await client.closed();
    await ended(tape);
    const { closed } = tape.connection(1);
    expect(closed).toMatchObject({ by: 'redis', how: 'reset' });
    expect(closed?.unflushedToRedis).toBeGreaterThan(0);
    expect(closed?.unflushedToRedis).toBeLessThan(256 * 1024);
  });

  test('a client that is reset while it does not read: Redis is read on, and what was not flushed is counted', async () => {
    const [fake, { port, tape }] = await start();
    const accepted = fake.connection();
    const client = new RawClient(port);
    client.socket.pause();
    const redis = await accepted;
    const total = 32 * 1024 * 1024;
    redis.end(Buffer.alloc(total, 'x'));
    await untilStill(() => tape.connection(1).fromRedis);
    client.socket.resetAndDestroy();
    await ended(tape);
    const { closed, fromRedis, flushed } = tape.connection(1);
    expect(fromRedis).toBe(total);
    expect(closed).toMatchObject({ by: 'client', how: 'reset' });
    expect(closed?.unflushedToClient).toBeGreaterThan(0);
    expect(flushed).toBeLessThan(total);
  });

  test('with latency: a close waits for what was sent before it, in both directions', async () => {
    const fake = await keep(FakeRedis.start());
    const latency = { latencyUs: 20_000, jitterUs: 0 };
    const { port, tape } = await keep(startProxied(fake.url, { latency }));
    const accepted = fake.connection();
    const client = new RawClient(port);
    const redis = await accepted;
    redis.end('+bye\r\n');
    client.socket.write('hello');
    await client.ended();
    expect(client.received.toString()).toBe('+bye\r\n');
    expect(tape.connection(1).closed).toMatchObject({ by: 'redis', how: 'fin', unflushedToClient: 6 });
    client.socket.end();
    const [chunk] = (await once(redis, 'data')) as [Buffer];
    expect(chunk.toString()).toBe('hello');
    await ended(tape);
  });
});
