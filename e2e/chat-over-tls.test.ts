import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type ChatServerProgram, startChatServerWith } from './chat-server.js';
import { Member } from './member.js';
import { type PrivateRedis, startRedis } from './redis.js';

// A layer whose Redis wants TLS, with an authority that the system does not know.

let redis: PrivateRedis;
let server: ChatServerProgram | undefined;
beforeEach(async () => {
  redis = await startRedis({ tls: true });
});
afterEach(async () => {
  await server?.stop();
  server = undefined;
  await redis.stop();
});

test.each(['channels-redis', 'reliable'])('rediss://, receiving as %s: a room is served', async (receive) => {
  const trusting = { NODE_EXTRA_CA_CERTS: redis.caPath ?? '' };
  server = await startChatServerWith(trusting, '--redis', redis.url, '--receive', receive);
  const [ann, bob] = [await Member.join(server.url, 'r'), await Member.join(server.url, 'r')];
  for (const text of ['1', '2', '3']) ann.say(text);
  expect([await bob.hears(), await bob.hears(), await bob.hears()]).toEqual(['1', '2', '3']);
  await ann.leave();
  await bob.leave();
});

test('a certificate that nobody vouches for is refused, and the log says so', async () => {
  server = await startChatServerWith({}, '--redis', redis.url);
  const health = await fetch(`http://127.0.0.1:${server.port}/healthz`);
  expect(health.status).toBe(503);
  expect(await health.json()).toMatchObject({ why: expect.stringMatching(/self-signed certificate/) });
  while (!/self-signed certificate/.test(server.output())) await sleep(10);
});
