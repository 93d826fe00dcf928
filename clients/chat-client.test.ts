import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { GaptraceError } from '../terminal/errors.js';
import { ChatClient, type Closed, lostConnection } from './chat-client.js';

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
  answerWithinMs = 20_000,
): Promise<{ client: ChatClient; socket: WebSocket; path: string | undefined }> {
  const client = new ChatClient({ url, room: 'room_a', name: 'c', rate, answerWithinMs });
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
    client.on('sent', (count) => sent.push(count));
    await client.join();
    await fourth;
    await client.leave();
    expect(texts.slice(0, 4)).toEqual([0, 1, 2, 3].map((count) => ({ my_id: client.id, count })));
    expect(sent.slice(0, 4)).toEqual([0, 1, 2, 3]);
  });

  it('joins by the path of its room, and tells messages from everything else', async () => {
    const { client, socket, path } = await joined();
    expect(path).toBe('/ws/chat/room_a/');
    const kinds: string[] = [];
    const last = new Promise<void>((resolve) => {
      client.on('message', (message, data) => {
        kinds.push(message.kind);
        if (data.toString() === '{"my_id":"s","count":7}') resolve();
      });
    });
    socket.send('{"connect":"specific.a!b"}');
    socket.send(Buffer.from('{"my_id":"s","count":9}'), { binary: true });
    socket.send('not JSON');
    socket.send('{"my_id":"s","count":7}');
    await last;
    expect(kinds).toEqual(['came', 'unknown', 'unknown', 'counted']);
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
    expect(await closed).toEqual([{ code: 1006, reason: '', asked: true }]);
  });

  it('leaves while it is still joining', async () => {
    const client = new ChatClient({ url, room: 'room_a' });
    const joining = client.join().catch((error: unknown) => error);
    await client.leave();
    expect(await joining).toMatchObject({ code: 'GAPTRACE_CHAT_CONNECT' });
  });

  it('falls silent, and goes on listening', async () => {
    const { client, socket } = await joined(500);
    client.fallSilent();
    client.on('sent', () => expect.unreachable('it was silent'));
    await sleep(20);
    const heard = once(client, 'message');
    socket.send('{"my_id":"s","count":7}');
    await heard;
  });

  it('sends on its grid: moments that have passed are left out, and the count begins after them', async () => {
    const sendFromMs = performance.now() - 1_000;
    const client = new ChatClient({ url, room: 'room_a', rate: 10, sendFromMs });
    clients.push(client);
    const first = once(client, 'sent');
    await client.join();
    expect(await first).toEqual([0]);
    // Not at once, as if it had something to catch up with, but at the next moment. (Timers may be a little early.)
    expect(performance.now()).toBeGreaterThan(sendFromMs + 1_100 - 5);
  });

  it.each([
    ['the connection breaks', (socket: WebSocket) => socket.terminate(), 1006, ''],
    ['it is told to try again later', (socket: WebSocket) => socket.close(1013, 'full'), 1013, 'full'],
    ['it is thrown out', (socket: WebSocket) => socket.close(1008, 'no\nroom'), 1008, 'no\\u000aroom'],
    [
      'a message is larger than any should be',
      (socket: WebSocket) => socket.send('x'.repeat(2 * 1024 * 1024)),
      1006,
      'Max payload size exceeded',
    ],
  ])('says so when %s', async (_, end, code, reason) => {
    const { client, socket } = await joined(100);
    const closed = once(client, 'closed') as Promise<[Closed]>;
    end(socket);
    const [how] = await closed;
    expect(how).toEqual({ code, reason, asked: false });
    expect(lostConnection(client, how)).toMatchObject({
      code: 'GAPTRACE_CHAT_CLOSED',
      message: expect.stringContaining(
        `/ws/chat/room_a/: the connection was closed by the server: ${code} (`,
      ),
    });
  });

  it('gives up a server that has stopped answering, not one that is only quiet', async () => {
    const quiet = await joined(0, 200);
    const stuck = await joined(0, 200);
    stuck.socket.pause();
    quiet.client.on('closed', () => expect.unreachable('it answers its pings'));
    const [how] = (await once(stuck.client, 'closed')) as [Closed];
    expect(how).toEqual({ code: 1006, reason: 'the server has not answered for 0.2 s', asked: false });
    quiet.client.removeAllListeners('closed');
  });
});

describe('a room that cannot be joined', () => {
  async function failureOf(url: string, more: object = {}): Promise<GaptraceError> {
    const failure: unknown = await new ChatClient({ url, room: 'r', ...more })
      .join()
      .catch((reason: unknown) => reason);
    expect(failure).toBeInstanceOf(GaptraceError);
    expect(failure).toMatchObject({ code: 'GAPTRACE_CHAT_CONNECT', exitStatus: 2 });
    return failure as GaptraceError;
  }

  /** Listens, does with each connection what it is told to, and says what a client makes of it. */
  async function failureWith(treat: (socket: Socket) => void, more: object = {}): Promise<string> {
    const sockets: Socket[] = [];
    const listener = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      treat(socket);
    }).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    try {
      return (await failureOf(`ws://127.0.0.1:${(listener.address() as AddressInfo).port}`, more)).message;
    } finally {
      for (const socket of sockets) socket.destroy();
      listener.close();
    }
  }

  it('is named, with the reason: nobody listens', async () => {
    const { message } = await failureOf('ws://user:secret@127.0.0.1:1');
    expect(message).toBe('cannot join ws://127.0.0.1:1/ws/chat/r/: connect ECONNREFUSED 127.0.0.1:1');
  });

  it('the server does not answer', async () => {
    expect(await failureWith(() => {}, { answerWithinMs: 100 })).toMatch(
      /: the server did not answer within 0.1 s$/,
    );
  });

  it('the server hangs up', async () => {
    expect(await failureWith((socket) => socket.end())).toMatch(/: socket hang up$/);
  });

  it('the server refuses', async () => {
    const refuse = (socket: Socket) => socket.end('HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n');
    expect(await failureWith(refuse)).toMatch(/: the server refused it: HTTP 403 \(Forbidden\)$/);
  });

  it('it is no web server', async () => {
    const redis = (socket: Socket) => socket.write("-ERR unknown command 'GET'\r\n");
    expect(await failureWith(redis)).toMatch(/: what listens there does not speak HTTP$/);
  });

  it.each(['127.0.0.1:8000', 'http://127.0.0.1:8000', 'ws://', 'ws://h/?room=x', 'room_a'])(
    'is not asked for at %s: that is no URL of a chat server',
    (wrong) => {
      expect(() => new ChatClient({ url: wrong, room: 'r' })).toThrow(
        expect.objectContaining({
          code: 'GAPTRACE_CHAT_URL',
          message: expect.stringContaining(`'${wrong}'`),
        }),
      );
    },
  );

  it('a password in what is no URL is not shown', () => {
    expect(() => new ChatClient({ url: 'http://user:secret@host', room: 'r' })).toThrow(
      expect.objectContaining({ message: expect.not.stringContaining('secret') }),
    );
  });

  it.each([
    ['ws://h:1', 'r', 'ws://h:1/ws/chat/r/'],
    ['wss://h/', 'a b/ü', 'wss://h/ws/chat/a%20b%2F%C3%BC/'],
    ['ws://h:1/behind/a/proxy/', 'r', 'ws://h:1/behind/a/proxy/ws/chat/r/'],
  ])('the room of %s called %s is at %s', (server, room, at) => {
    expect(new ChatClient({ url: server, room }).address).toBe(at);
  });
});
