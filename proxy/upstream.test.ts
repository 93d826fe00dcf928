import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { startRedis } from '../e2e/redis.js';
import { Upstream } from './upstream.js';

test.each([
  ['redis://127.0.0.1:6379', 'redis://127.0.0.1:6379'],
  ['redis://localhost', 'redis://localhost:6379'],
  ['redis://localhost/', 'redis://localhost:6379'],
  ['redis://localhost:7000/2', 'redis://localhost:7000'],
  ['redis://:secret@localhost:7000', 'redis://localhost:7000'],
  ['redis://me:secret@localhost:7000/1', 'redis://localhost:7000'],
  ['rediss://redis.example:6380', 'rediss://redis.example:6380'],
  ['redis://[::1]:7000', 'redis://[::1]:7000'],
  ['localhost:7000', 'redis://localhost:7000'],
  ['10.0.0.7', 'redis://10.0.0.7:6379'],
  ['unix:/run/redis.sock', 'unix:/run/redis.sock'],
  ['unix:///run/redis.sock', 'unix:/run/redis.sock'],
  ['unix://me:secret@/run/redis.sock?db=1', 'unix:/run/redis.sock'],
  ['redis+unix:///run/redis.sock', 'unix:/run/redis.sock'],
])('%s is %s', (text, described) => {
  expect(Upstream.parse(text).describe()).toBe(described);
});

test('user and password are kept apart, and printing an upstream does not show them', () => {
  const upstream = Upstream.parse('redis://me:p%40ss@localhost');
  expect(upstream.credentials()).toEqual({ username: 'me', password: 'p@ss' });
  expect(Upstream.parse('redis://:p@localhost').credentials()).toEqual({
    username: undefined,
    password: 'p',
  });
  expect(Upstream.parse('unix://me:a:b@/s').credentials()).toEqual({ username: 'me', password: 'a:b' });
  expect(inspect(upstream, { depth: 9, showHidden: true }) + JSON.stringify(upstream)).not.toMatch(
    /p@ss|p%40ss/,
  );
});

test.each([
  ['', 'empty'],
  ['http://localhost', "'http' is not a scheme"],
  ['redis://', 'the host is missing'],
  ['redis://:7000', 'the host is missing'],
  ['redis://localhost:port', 'port (1 to 65535)'],
  ['redis://localhost:99999', 'port (1 to 65535)'],
  ['redis://localhost:0', 'port 0'],
  ['redis://localhost/zero', 'database number'],
  ['unix:', 'absolute path'],
  ['unix:run/redis.sock', 'absolute path'],
  ['not an address', 'the scheme is missing'],
])('%j is refused: %s', (text, why) => {
  expect(() => Upstream.parse(text)).toThrow(why);
});

test.each([
  'redis://me:s3cr3t@',
  'redis://me:s3cr3t@localhost:port',
  'redis://me:s3cr3t/x@localhost',
  'redis://:s3cr3t#x@localhost:1',
  'me:s3cr3t@localhost:7000',
  'http://me:s3cr3t@localhost',
  'unix://me:s3cr3t@run',
  'redis://me:s3cr3t%zz@localhost',
  'redis://localhost:s3cr3t@',
  'redis://:s3cr3t',
])('an error about %s does not repeat the password', (text) => {
  const error = (() => {
    try {
      return Upstream.parse(text);
    } catch (error) {
      return error as Error;
    }
  })();
  expect(error).toMatchObject({ code: 'GAPTRACE_UPSTREAM', exitStatus: 2 });
  expect(inspect(error)).not.toContain('s3cr3t');
});

test('connects by TCP and by unix socket', async () => {
  const redis = await startRedis({ unix: true });
  for (const url of [redis.url, `unix:${redis.socketPath}`]) {
    const answer = await new Promise<Buffer>((resolve) => {
      const socket = Upstream.parse(url).connect((chunk) => {
        socket.destroy();
        resolve(chunk);
      });
      socket.resume().write('PING\r\n');
    });
    expect(answer.toString()).toBe('+PONG\r\n');
  }
  await redis.stop();
});
