/** A chat server whose Redis is not there, goes away, comes back or refuses to write; and its end. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ChatServerProgram, startChatServer } from './chat-server.js';
import { Member } from './member.js';
import { freePort, type PrivateRedis, startRedis } from './redis.js';

let redis: PrivateRedis;
let server: ChatServerProgram | undefined;
beforeEach(async () => {
  redis = await startRedis();
});
afterEach(async () => {
  await server?.stop('SIGKILL');
  server = undefined;
  await redis.stop();
});

/** Two members who hear each other, however often it takes to get in. */
async function talk(url: string): Promise<readonly [Member, Member]> {
  for (;;) {
    const pair = await Promise.all([Member.join(url, 'room_a'), Member.join(url, 'room_a')] as const);
    const [ann, bob] = pair;
    ann.say('hello');
    const heard = await Promise.race([bob.hears().catch(() => null), ann.sentAway().then(() => null)]);
    if (heard !== null) return pair;
    await Promise.all(pair.map((member) => member.leave()));
  }
}

const healthOf = async (url: string): Promise<number> =>
  (await fetch(`${url.replace('ws:', 'http:')}/healthz`)).status;

const times = (text: string, what: RegExp): number =>
  text.split('\n').filter((line) => what.test(line)).length;

describe.each(['--receive channels-redis', '--receive reliable', '--layer pubsub'])('%s', (flags) => {
  it('Redis goes away and comes back empty: all are told, once in the log, and let in again', async () => {
    server = await startChatServer('--redis', redis.url, ...flags.split(' '));
    const pair = await talk(server.url);
    expect(await healthOf(server.url)).toBe(200);
    const { port } = redis;
    await redis.stop();
    for (const member of pair)
      expect(await member.sentAway()).toMatchObject({ code: 1013, reason: expect.stringContaining('Redis') });
    const late = new Member(server.url, 'room_a');
    expect(await late.sentAway()).toMatchObject({ code: 1013, reason: expect.stringContaining('try again') });
    expect(await healthOf(server.url)).toBe(503);

    redis = await startRedis({ port });
    await talk(server.url);
    expect(await healthOf(server.url)).toBe(200);
    expect(times(server.output(), /error .*no Redis at .*sent away/)).toBe(1);
    expect(times(server.output(), /answers again/)).toBe(1);
  });
});

it('Redis is not there at the start: the server says so, and serves when it comes', async () => {
  const port = await freePort();
  server = await startChatServer('--redis', `redis://127.0.0.1:${port}`);
  expect(await new Member(server.url, 'room_a').sentAway()).toMatchObject({ code: 1013 });
  const other = await startRedis({ port });
  await talk(server.url);
  expect(server.output()).toMatch(/no Redis at 127\.0\.0\.1:\d+.*trying again/);
  await server.stop('SIGKILL');
  await other.stop();
});

it('the connections of a server are cut, and its Redis forgets its rooms, within a moment: they are joined again', async () => {
  server = await startChatServer('--redis', redis.url, '--receive', 'reliable');
  const [ann, bob] = await talk(server.url);
  const admin = redis.client();
  await admin.flushall();
  await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await expect.poll(() => admin.zcard('gaptrace:group:channels_group_room_a')).toBe(2);
  ann.say('still here');
  expect(await bob.hears()).toBe('still here');
});

it.each([
  ['a read-only replica', 'replicaof', ['127.0.0.1', '1'], ['no', 'one']],
  ['out of memory', 'config', ['set', 'maxmemory', '1'], ['set', 'maxmemory', '0']],
] as const)(
  'Redis refuses to write (%s): clients are told, and let in when it writes again',
  async (_, command, off, on) => {
    server = await startChatServer('--redis', redis.url);
    const [ann, bob] = await talk(server.url);
    const admin = redis.client();
    await admin.call(command, ...off);
    ann.say('into the void');
    for (const member of [ann, bob])
      expect(await member.sentAway()).toMatchObject({
        code: expect.toSatisfy((code) => code === 1011 || code === 1013),
      });
    await expect.poll(() => healthOf(server?.url ?? '')).toBe(503);
    expect(times(server.output(), /error .*refuses.*sent away and none let in/)).toBe(1);
    await admin.call(command, ...on);
    await talk(server.url);
  },
);

it('what the layer does not take is not read: the client is held back, and nothing is lost when Redis goes on', async () => {
  server = await startChatServer('--redis', redis.url, '--receive', 'reliable');
  const [ann, bob] = await talk(server.url);
  process.kill(redis.pid, 'SIGSTOP');
  const said = 500;
  for (let count = 0; count < said; count++) ann.say(`${count} ${'x'.repeat(64 * 1024)}`);
  // The rest of 32 MB does not leave the client: what the kernel holds and sixteen frames in the server do.
  let before = -1;
  while (before !== ann.socket.bufferedAmount) {
    before = ann.socket.bufferedAmount;
    await sleep(300);
  }
  expect(before).toBeGreaterThan(8 * 1024 * 1024);
  process.kill(redis.pid, 'SIGCONT');
  for (let count = 0; count < said; count++)
    expect(String(await bob.hears()).split(' ')[0]).toBe(String(count));
});

describe('the end', () => {
  it('SIGTERM: clients are told (1001), the others in the room hear of it, nothing stays in Redis', async () => {
    server = await startChatServer('--redis', redis.url);
    const other = await startChatServer('--redis', redis.url);
    const [ann, bob] = await talk(server.url);
    const witness = await Member.join(other.url, 'room_a');
    const ended = server.stop('SIGTERM');
    expect(await ann.sentAway()).toEqual({ code: 1001, reason: 'the server ends' });
    expect(await bob.sentAway()).toEqual({ code: 1001, reason: 'the server ends' });
    expect(await witness.sees()).toEqual({ disconnect: expect.any(String) });
    expect(await witness.sees()).toEqual({ disconnect: expect.any(String) });
    expect(await ended).toEqual({ status: 0, signal: null });
    await witness.leave();
    await other.stop();
    expect(await redis.client().keys('*group*')).toEqual([]);
  });

  it('a second signal ends it at once, also while its Redis hangs', async () => {
    server = await startChatServer('--redis', redis.url);
    const [ann] = await talk(server.url);
    process.kill(redis.pid, 'SIGSTOP');
    process.kill(server.pid, 'SIGINT');
    expect(await ann.sentAway()).toMatchObject({ code: 1001 });
    expect(await server.stop('SIGTERM')).toEqual({ status: 143, signal: null });
    process.kill(redis.pid, 'SIGCONT');
  });

  it('a Redis that hangs is a 503 for who watches', async () => {
    server = await startChatServer('--redis', redis.url);
    expect(await healthOf(server.url)).toBe(200);
    process.kill(redis.pid, 'SIGSTOP');
    expect(await healthOf(server.url)).toBe(503);
    process.kill(redis.pid, 'SIGCONT');
    expect(await healthOf(server.url)).toBe(200);
  });
});
