import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { MemoryTape } from '../e2e/memory-tape.js';
import { FakeRedis, RawClient } from '../e2e/proxied.js';
import { createLog } from '../terminal/log.js';
import { Listener, parseListen } from './listener.js';
import { Upstream } from './upstream.js';

test.each([
  ['127.0.0.1:6380', '127.0.0.1', 6380],
  ['localhost:0', 'localhost', 0],
  ['[::1]:6380', '::1', 6380],
  ['0.0.0.0:1', '0.0.0.0', 1],
])('%s', (text, host, port) => {
  expect(parseListen(text)).toEqual({ host, port });
});

test.each([
  '',
  '6380',
  ':6380',
  '127.0.0.1',
  '127.0.0.1:',
  '127.0.0.1:99999',
  '::1:6380',
  'a b:1',
  'redis://a:1',
])('%j is refused, with an example', (text) => {
  expect(() => parseListen(text)).toThrow(
    /is not an address to listen on: give host:port, such as 127\.0\.0\.1:6380/,
  );
});

test('port 0 picks a port, and says which; IPv6 too', async () => {
  for (const [host, shown] of [
    ['127.0.0.1', /^127\.0\.0\.1:\d+$/],
    ['::1', /^\[::1\]:\d+$/],
  ] as const) {
    const listener = await Listener.open({ host, port: 0 });
    expect(listener.address).toMatch(shown);
    await listener.stop();
  }
});

test('a port that is taken, and an address that is not of this machine', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await expect(Listener.open({ host: '127.0.0.1', port })).rejects.toMatchObject({
    code: 'GAPTRACE_PORT_TAKEN',
    exitStatus: 2,
    message: expect.stringContaining(
      `cannot listen on 127.0.0.1:${port}: the port is taken; stop what listens there`,
    ),
  });
  server.close();
  await expect(Listener.open({ host: '192.0.2.1', port: 0 })).rejects.toMatchObject({
    code: 'GAPTRACE_LISTEN',
    message: expect.stringContaining('EADDRNOTAVAIL'),
  });
});

test('a client that comes before the recorder is ready waits, and loses nothing', async () => {
  const fake = await FakeRedis.start();
  const listener = await Listener.open({ host: '127.0.0.1', port: 0 });
  const client = new RawClient(Number(listener.address.split(':')[1]));
  client.socket.write('early');
  await once(client.socket, 'connect');
  const accepted = fake.connection();
  const tape = new MemoryTape();
  listener.accept({ upstream: Upstream.parse(fake.url), recording: tape, log: createLog(() => {}, {}) });
  const redis = await accepted;
  const [chunk] = (await once(redis, 'data')) as [Buffer];
  expect(chunk.toString()).toBe('early');
  expect(listener.openConnections).toBe(1);
  client.socket.destroy();
  redis.end();
  await listener.stop();
  expect(listener.openConnections).toBe(0);
  await fake.stop();
});

test('stop before anything was accepted turns those away who wait', async () => {
  const listener = await Listener.open({ host: '127.0.0.1', port: 0 });
  const client = new RawClient(Number(listener.address.split(':')[1]));
  await once(client.socket, 'connect');
  client.socket.end();
  await new Promise((resolve) => setImmediate(resolve));
  await listener.stop();
  await client.closed();
});
