/** Several processes serve one room: two of ours on one port, and ours with the Django server on one Redis. */
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ChatServerProgram, startChatServer } from './chat-server.js';
import { startDjango } from './django.js';
import { Member } from './member.js';
import { type PrivateRedis, startRedis } from './redis.js';

let redis: PrivateRedis;
let members: Member[];
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis?.stop());
beforeEach(() => {
  members = [];
});
const join = async (url: string, room = 'room_a'): Promise<Member> => {
  const member = await Member.join(url, room);
  members.push(member);
  return member;
};

/** What is before the `!` of a channel: its process. */
const processOf = (channel = ''): string => channel.split('!')[0] ?? '';

describe('two processes of gaptrace on one port', () => {
  let server: ChatServerProgram;
  beforeEach(async () => {
    await redis.client().flushall();
    server = await startChatServer('--redis', redis.url, '--processes', '2', '--receive', 'reliable');
  });
  afterEach(async () => {
    await Promise.all(members.map((member) => member.leave()));
    await server.stop();
  });

  /** A watcher, and two more that are served by different processes. */
  const threeMembers = async (): Promise<readonly [Member, Member, Member]> => {
    const watcher = await join(server.url);
    const one = await join(server.url);
    const first = processOf((await watcher.sees()).connect);
    for (;;) {
      const two = await join(server.url);
      if (processOf((await watcher.sees()).connect) !== first) return [watcher, one, two];
    }
  };

  it('serve one room, each with channels of its own', async () => {
    const [watcher, one, two] = await threeMembers();
    one.say('from one');
    expect(await two.hears()).toBe('from one');
    expect(await watcher.hears()).toBe('from one');
    two.say('from two');
    expect(await one.hears()).toBe('from two');
    expect(await watcher.hears()).toBe('from two');
  });

  it('a process that dies is said so and replaced; the others go on', async () => {
    await threeMembers();
    const [victim] = childrenOf(server.pid);
    process.kill(victim ?? 0, 'SIGKILL');
    const dropped = await Promise.race(
      members.map(async (member) => ({ member, ...(await member.sentAway()) })),
    );
    expect(dropped.code).toBe(1006);
    await expect
      .poll(() => server.output(), { timeout: 20_000 })
      .toContain(`process ${victim} has ended (SIGKILL); another one takes its place`);
    await expect.poll(() => childrenOf(server.pid).length, { timeout: 20_000 }).toBe(2);
    const survivor = members.find((member) => member.socket.readyState === member.socket.OPEN) as Member;
    for (const text of ['a', 'b', 'c', 'd']) {
      const newcomer = await join(server.url);
      newcomer.say(text);
      expect(await survivor.hears()).toBe(text);
    }
  });

  it('end together on SIGTERM: clients told (1001), rooms empty', async () => {
    const all = await threeMembers();
    const ended = server.stop();
    for (const member of all) expect(await member.sentAway()).toMatchObject({ code: 1001 });
    expect(await ended).toEqual({ status: 0, signal: null });
    expect(await redis.client().keys('*:group:*')).toEqual([]);
  });
});

it('processes that cannot listen are not tried again', async () => {
  const first = await startChatServer('--layer', 'memory');
  await expect(
    startChatServer('--redis', redis.url, '--processes', '2', '--port', String(first.port)),
  ).rejects.toThrow(/port is taken/);
  await first.stop();
});

describe.each([
  ['redis as channels-redis', [], 'core'],
  ['redis reliable', ['--receive', 'reliable'], 'core'],
  ['pubsub', ['--layer', 'pubsub'], 'pubsub'],
] as const)('a process of gaptrace (%s) and a Django one on one Redis', (_, flags, layer) => {
  it('serve one room, both ways', async () => {
    const ours = await startChatServer('--redis', redis.url, ...flags);
    const theirs = await startDjango(redis.url, { env: { LAYER: layer } });
    const ann = await join(ours.url);
    const bob = await join(theirs.url);
    const came = await ann.sees();
    expect(came.connect).toBeDefined();
    ann.say('{"my_id": "a",  "count": 0}');
    expect(await bob.hears()).toBe('{"my_id": "a",  "count": 0}');
    bob.say('{"my_id": "b",  "count": 0}');
    expect(await ann.hears()).toBe('{"my_id": "b",  "count": 0}');
    ann.say(Buffer.from([0, 200]));
    expect(await bob.hears()).toEqual(Buffer.from([0, 200]));
    bob.say(Buffer.from([201, 0]));
    expect(await ann.hears()).toEqual(Buffer.from([201, 0]));
    await bob.leave();
    expect(await ann.sees()).toEqual({ disconnect: came.connect });
    await ann.leave();
    await Promise.all([ours.stop(), theirs.stop()]);
  });
});

/** The processes that `pid` has started. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number);
}
