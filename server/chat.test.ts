/** The server's doors and bounds, on the memory layer: who is refused, and who is sent away and why. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { Member } from '../e2e/member.js';
import { createLog } from '../terminal/log.js';
import { ChatServer, type ChatServerOptions } from './chat.js';
import { MemoryLayer } from './layers/memory.js';

let server: ChatServer | undefined;
let logged = '';
afterEach(() => server?.stop());

async function open(options: Partial<ChatServerOptions> = {}): Promise<string> {
  logged = '';
  server = await ChatServer.open({
    layer: new MemoryLayer({ capacity: 1000 }),
    log: createLog((line) => {
      logged += line;
    }),
    host: '127.0.0.1',
    port: 0,
    messageLimit: 64 * 1024,
    bufferLimit: 64 * 1024,
    clientLimit: 100,
    pingEveryMs: 60_000,
    ...options,
  });
  return `ws://${server.address}`;
}

const httpOf = (url: string): string => url.replace('ws:', 'http:');

test('a message over the limit: 1009, and the others go on', async () => {
  const url = await open();
  const ann = await Member.join(url, 'a');
  const bob = await Member.join(url, 'a');
  const cy = await Member.join(url, 'a');
  ann.say('x'.repeat(64 * 1024));
  expect(String(await bob.hears())).toHaveLength(64 * 1024);
  ann.say('x'.repeat(64 * 1024 + 1));
  expect(await ann.sentAway()).toMatchObject({ code: 1009 });
  expect((await bob.sees()).connect).toBeDefined();
  expect((await bob.sees()).disconnect).toBeDefined();
  cy.say('on');
  expect(await bob.hears()).toBe('on');
});

test('an empty frame, of text and of bytes, is handed on', async () => {
  const url = await open();
  const ann = await Member.join(url, 'a');
  const bob = await Member.join(url, 'a');
  ann.say('');
  ann.say(Buffer.alloc(0));
  expect(await bob.hears()).toBe('');
  expect(await bob.hears()).toEqual(Buffer.alloc(0));
});

test('text that is no UTF-8: 1007', async () => {
  const ann = await Member.join(await open(), 'a');
  ann.socket.send(Buffer.from([0xff]), { binary: false });
  expect(await ann.sentAway()).toMatchObject({ code: 1007 });
});

test('a name that no room has: 1008 with the rule', async () => {
  const url = await open();
  for (const room of ['a%20b', '%', 'x'.repeat(81), '%C3%A9'])
    expect(await new Member(url, room).sentAway()).toEqual({
      code: 1008,
      reason: 'a room is called by 1 to 80 of A-Z, a-z, 0-9, "_", "-" and "."',
    });
});

test('another path: 404; a room without a WebSocket: 426; health by anything but GET: 405', async () => {
  const url = await open();
  await expect(Member.join(url, 'a/b')).rejects.toThrow('404');
  const answers = async (path: string, method = 'GET') =>
    (await fetch(httpOf(url) + path, { method })).status;
  expect(await answers('/')).toBe(404);
  expect(await answers('/ws/chat/a/')).toBe(426);
  expect(await answers('/healthz', 'POST')).toBe(405);
  expect(await (await fetch(`${httpOf(url)}/healthz`)).json()).toEqual({ status: 'ok', clients: 0 });
});

test('one client over the limit: 503, and in again when another leaves', async () => {
  const url = await open({ clientLimit: 2 });
  const ann = await Member.join(url, 'a');
  const bob = await Member.join(url, 'a');
  await expect(Member.join(url, 'a')).rejects.toThrow('503');
  await expect(Member.join(url, 'b')).rejects.toThrow('503');
  expect(logged.match(/the server is full/g)).toHaveLength(1);
  expect((await fetch(`${httpOf(url)}/healthz`)).status).toBe(200);
  await bob.leave();
  await ann.sees();
  await ann.sees();
  await expect.poll(() => server?.clients).toBe(1);
  await Member.join(url, 'a');
});

test('a client that does not read is sent away (1013) beyond the bound; the others miss nothing', async () => {
  const url = await open({ bufferLimit: 256 * 1024, messageLimit: 1024 * 1024 });
  const ann = await Member.join(url, 'a');
  const deaf = await Member.join(url, 'a');
  const bob = await Member.join(url, 'a');
  deaf.socket.pause();
  let said = 0;
  // As much as the kernel takes, and then the bound.
  for (; !logged.includes('does not read') && said < 1000; said++) {
    ann.say(`${said} ${'x'.repeat(200_000)}`);
    expect(String(await bob.hears()).split(' ')[0]).toBe(String(said));
  }
  expect(logged).toMatch(
    /warn {2}a client does not read: \d+ bytes wait for it, and it is sent away \(1013\)/,
  );
  deaf.socket.resume();
  const { code } = await deaf.sentAway();
  // Where it does not come to the close in time, its connection is cut.
  expect([1013, 1006]).toContain(code);
  ann.say('on');
  expect(await bob.hears()).toBe('on');
});

test('who does not answer a ping is cut off, who does stays', async () => {
  const url = await open({ pingEveryMs: 100 });
  const ann = await Member.join(url, 'a');
  const mute = await Member.join(url, 'a', { autoPong: false });
  expect(await mute.sentAway()).toMatchObject({ code: 1006 });
  expect((await ann.sees()).connect).toBeDefined();
  expect((await ann.sees()).disconnect).toBeDefined();
  ann.socket.ping();
  await once(ann.socket, 'pong');
});

test('a handshake that is none leaves nobody in the room', async () => {
  const url = await open();
  const ann = await Member.join(url, 'a');
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(url).port) });
  socket.write(
    'GET /ws/chat/a/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: none\r\n\r\n',
  );
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(answer.toString()).toMatch(/^HTTP\/1\.1 400 /);
  expect((await ann.sees()).disconnect).toBeDefined();
  expect(server?.clients).toBe(1);
});

test('a port that is taken', async () => {
  const url = await open();
  await expect(
    ChatServer.open({
      layer: new MemoryLayer(),
      log: createLog(() => {}),
      host: '127.0.0.1',
      port: Number(new URL(url).port),
      messageLimit: 1,
      bufferLimit: 1,
      clientLimit: 1,
      pingEveryMs: 60_000,
    }),
  ).rejects.toMatchObject({ code: 'GAPTRACE_PORT_TAKEN', exitStatus: 2 });
});

test('the end: all are told (1001), nobody is let in', async () => {
  const url = await open();
  const all = await Promise.all([Member.join(url, 'a'), Member.join(url, 'a'), Member.join(url, 'b')]);
  await server?.stop();
  for (const member of all) expect(await member.sentAway()).toMatchObject({ code: 1001 });
  await expect(Member.join(url, 'a')).rejects.toThrow('ECONNREFUSED');
});
