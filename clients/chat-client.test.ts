import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { GaptraceError } from '../terminal/errors.js';
import { ChatClient } from './chat-client.js';

// A server of the test's own: a real one cannot be told to leave a count out. e2e/ has the real one.
let server: WebSocketServer;
let url: string;
const clients: ChatClient[] = [];

beforeEach(async () => {
  server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.leave()));
  for (const socket of server.clients) socket.terminate();
  server.close();
});

/** A client in the room, and the server's end of its connection. */
async function joined(
  rate = 0,
): Promise<{ client: ChatClient; socket: WebSocket; path: string | undefined }> {
  const client = new ChatClient({ url, room: 'room_a', name: 'c', rate });
  clients.push(client);
  const connected = once(server, 'connection') as Promise<[WebSocket, { url?: string }]>;
  const joining = client.join();
  const [socket, request] = await connected;
  await joining;
  return { client, socket, path: request.url };
}

describe('a chat client', () => {
  it('sends its id and counts from 0', async () => {
    const client = new ChatClient({ url, room: 'room_a', rate: 200 });
    clients.push(client);
    const texts: unknown[] = [];
    const fourth = new Promise<void>((resolve) => {
      server.on('connection', (socket) =>
        socket.on('message', (data) => {
          if (texts.push(JSON.parse(String(data))) === 4) resolve();
        }),
      );
    });
    const sent: number[] = [];
    client.on('sent', ({ sender, count }) => {
      expect(sender).toBe(client.id);
      sent.push(count);
    });
    await client.join();
    await fourth;
    await client.leave();
    expect(texts.slice(0, 4)).toEqual([0, 1, 2, 3].map((count) => ({ my_id: client.id, count })));
    expect(sent.slice(0, 4)).toEqual([0, 1, 2, 3]);
  });

  it('joins by the path of its room, and reports a count that was jumped over', async () => {
    const { client, socket, path } = await joined();
    expect(path).toBe('/ws/chat/room_a/');
    const received: number[] = [];
    client.on('received', ({ count }) => received.push(count));
    const gap = once(client, 'gap');
    for (const text of [
      '{"connect":"specific.a!b"}',
      'not JSON',
      'null',
      '{"my_id":"s","count":"4"}',
      '{"my_id":"s","count":4}',
      '{"my_id":"s","count":7}',
    ])
      socket.send(text);
    socket.send(Buffer.from('{"my_id":"s","count":9}'), { binary: true });
    const [report] = await gap;
    const at = expect.stringMatching(/^\d{4}-.*Z$/);
    expect(report).toEqual({
      ...{ client: 'c', room: 'room_a', sender: 's', expected: 5, received: 7, missing: [5, 6], at },
    });
    expect(received).toEqual([4, 7]);
  });

  it('leaves with a proper close, once', async () => {
    const { client, socket } = await joined(100);
    const left = once(socket, 'close');
    await client.leave();
    await client.leave();
    expect((await left)[0]).toBe(1000);
  });

  it('leaves a server that does not answer the close', async () => {
    const { client, socket } = await joined();
    socket.pause();
    const closed = once(client, 'closed');
    await client.leave();
    expect(await closed).toEqual([1006]);
  });

  it('says when the server goes away', async () => {
    const { client, socket } = await joined(100);
    const closed = once(client, 'closed');
    socket.terminate();
    expect(await closed).toEqual([1006]);
  });

  it('says where it could not join', async () => {
    const client = new ChatClient({ url: 'ws://127.0.0.1:1', room: 'r' });
    const error: unknown = await client.join().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(GaptraceError);
    expect((error as GaptraceError).message).toMatch(/^cannot join ws:\/\/127\.0\.0\.1:1\/ws\/chat\/r\/: /);
  });
});
