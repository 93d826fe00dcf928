/** Both chat servers, ours and the Django one, speak one protocol: the same test for each, on each layer. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startChatServer } from './chat-server.js';
import { startDjango } from './django.js';
import { Member } from './member.js';
import type { Program } from './processes.js';
import { type PrivateRedis, startRedis } from './redis.js';

let redis: PrivateRedis;
beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis?.stop());

type Server = Program & { readonly url: string };

const SERVERS: Readonly<Record<string, () => Promise<Server>>> = {
  'gaptrace, redis': () => startChatServer('--redis', redis.url),
  'gaptrace, redis reliable': () => startChatServer('--redis', redis.url, '--receive', 'reliable'),
  'gaptrace, pubsub': () => startChatServer('--redis', redis.url, '--layer', 'pubsub'),
  'gaptrace, memory': () => startChatServer('--layer', 'memory'),
  'Django under daphne, core': () => startDjango(redis.url),
  'Django under uvicorn, core': () => startDjango(redis.url, { by: 'uvicorn' }),
  'Django under daphne, pubsub': () => startDjango(redis.url, { env: { LAYER: 'pubsub' } }),
  'Django under daphne, memory': () => startDjango(redis.url, { env: { LAYER: 'memory' } }),
};

/** These lose what a receiver has popped when it is cancelled, as it is when its member leaves: what the whole project is about. */
const LOSES = ['gaptrace, redis', 'Django under daphne, core', 'Django under uvicorn, core'];

describe.each(Object.entries(SERVERS))('%s', (name, start) => {
  let server: Server;
  let members: Member[];
  const join = async (room: string): Promise<Member> => {
    const member = await Member.join(server.url, room);
    members.push(member);
    return member;
  };

  beforeEach(async () => {
    members = [];
    server = await start();
  });
  afterEach(async () => {
    await Promise.all(members.map((member) => member.leave()));
    // uvicorn may wait for ever for a consumer whose cancellation was swallowed: see server/django/asgi.py.
    await server?.stop(name.includes('uvicorn') ? 'SIGKILL' : 'SIGTERM');
  });

  it('tells a room who comes, what is said and who goes, and the speaker nothing of its own', async () => {
    const ann = await join('room_a');
    const bob = await join('room_a');
    const cy = await join('room_b');
    const came = await ann.sees();
    expect(came).toEqual({ connect: expect.stringMatching(/^[A-Za-z0-9_.!-]{30,}$/) });

    ann.say('{"my_id": "é",   "count":0}'); // unchanged: spaces and all
    expect(await bob.hears()).toBe('{"my_id": "é",   "count":0}');
    bob.say('hi');
    expect(await ann.hears()).toBe('hi'); // not its own text

    await bob.leave();
    expect(await ann.sees()).toEqual({ disconnect: came.connect });
    const dee = await join('room_b');
    dee.say('hello');
    expect(await cy.hears()).toBe('hello'); // and nothing of room_a
  });

  it('looks into nothing that is said: malformed JSON and bytes go out as they came', async () => {
    const ann = await join('Room-1.x_y');
    const bob = await join('Room-1.x_y');
    const bytes = Buffer.from([0, 255, 1, 0x7b]);
    // An empty frame is handed on by ours and by uvicorn, but swallowed by daphne.
    for (const said of ['{"my_id": ', '\u0000 \u{1F600}', bytes, 'x'.repeat(100_000)]) {
      ann.say(said);
      expect(await bob.hears()).toEqual(said);
    }
  });

  it('keeps the order of what one member says, its leaving last', async () => {
    const ann = await join('room_a');
    const bob = await join('room_a');
    const came = await ann.sees();
    const said = Array.from({ length: 200 }, (_, count) => `{"count": ${count}}`);
    for (const each of said) bob.say(each);
    if (!LOSES.includes(name)) await bob.leave();
    for (const each of said) expect(await ann.hears()).toBe(each);
    if (LOSES.includes(name)) await bob.leave();
    expect(await ann.sees()).toEqual({ disconnect: came.connect });
  });
});
