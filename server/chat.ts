/**
 * The chat server: WebSockets at `/ws/chat/<room>/`, each a consumer on one channel layer, and `/healthz` for who watches over it.
 *
 * It is open for business as long as the layer answers. While it does not, clients are let in only to be told so by a close (1013), which a
 * browser can read and an HTTP status it cannot; who was inside is told the same. When the layer is back, whoever is left inside is put into
 * his room again: the Redis that came back may know nothing.
 */
import {
  createServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { GaptraceError, messageOf } from '../terminal/errors.js';
import type { Log } from '../terminal/log.js';
import { CLOSE, Client, closeFor, closeSocket } from './client.js';
import { Consumer } from './consumer.js';
import { LayerHealth } from './layer-health.js';
import { pause } from './layers/backoff.js';
import type { ChannelLayer } from './layers/layer.js';
import { destinationOf, ROOM_NAME_RULE } from './room-path.js';
import { SeldomLog } from './seldom.js';

export interface ChatServerOptions {
  /** Closed by the server's `stop`. */
  readonly layer: ChannelLayer;
  readonly log: Log;
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  /** Bytes of one message; a client that sends more is sent away (1009). */
  readonly messageLimit: number;
  /** Bytes that may wait for a client that does not read; beyond it it is sent away (1013). */
  readonly bufferLimit: number;
  /** Clients at a time; one more is refused (HTTP 503). */
  readonly clientLimit: number;
  /** Between two pings, in ms; a client that has not answered by the next is cut off. */
  readonly pingEveryMs: number;
}

/** Connections beyond the clients: for /healthz, and for those who are told that the server is full. */
const SPARE_CONNECTIONS = 64;
/** How long a client waits at most to be let in, in ms: a Redis that hangs must not keep it hanging too. */
const JOIN_WITHIN_MS = 10_000;
/** How long `stop` waits for the others to be told, in ms, before it closes the layer regardless. */
const STOP_WITHIN_MS = 8_000;
const HTTP_WITHIN_MS = 10_000;

export class ChatServer {
  readonly #options: ChatServerOptions;
  readonly #http: Server;
  readonly #sockets: WebSocketServer;
  readonly #health: LayerHealth;
  readonly #log: SeldomLog;
  readonly #clients = new Set<Client>();
  readonly #pinging: NodeJS.Timeout;
  #connections = 0;
  /** Clients that are not in their room yet. */
  #joining = 0;
  #stopping: Promise<void> | undefined;

  /** Listens, whether the layer answers or not. Rejects with GAPTRACE_PORT_TAKEN or GAPTRACE_LISTEN. */
  static async open(options: ChatServerOptions): Promise<ChatServer> {
    const server = new ChatServer(options);
    await server.#listen();
    await server.#health.suspect();
    return server;
  }

  private constructor(options: ChatServerOptions) {
    this.#options = options;
    this.#log = new SeldomLog(options.log);
    this.#health = new LayerHealth(options.layer, {
      down: (error) => this.#down(error),
      up: () => {
        options.log.info('the channel layer answers again: clients are let in');
        this.#rejoin();
      },
      shaken: () => this.#rejoin(),
    });
    this.#sockets = new WebSocketServer({
      noServer: true,
      maxPayload: options.messageLimit,
      perMessageDeflate: false,
      clientTracking: false,
    });
    this.#http = createServer({ headersTimeout: HTTP_WITHIN_MS, requestTimeout: HTTP_WITHIN_MS });
    this.#http.on('connection', (socket) => {
      this.#connections++;
      socket.once('close', () => this.#connections--);
      if (this.#connections > options.clientLimit + SPARE_CONNECTIONS) socket.destroy();
    });
    this.#http.on('request', (request, response) => this.#answer(request, response));
    this.#http.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#pinging = setInterval(() => {
      for (const client of this.#clients) client.ping();
    }, options.pingEveryMs).unref();
  }

  /** Where it listens, as `127.0.0.1:8000`. */
  get address(): string {
    const { address, port, family } = this.#http.address() as AddressInfo;
    return `${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  /** How many clients there are. */
  get clients(): number {
    return this.#clients.size;
  }

  /** The layer has lost its Redis, or some of it: to be told by whoever hears of it first. */
  suspectLayer(): void {
    void this.#health.suspect(new Error('the layer has said so'));
  }

  /** Lets nobody in, sends all away (1001), tells the rooms, and closes the layer. Can be called twice. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    clearInterval(this.#pinging);
    this.#health.close();
    const closed = new Promise((resolve) => this.#http.close(resolve));
    this.#http.closeIdleConnections();
    for (const client of this.#clients) client.close(CLOSE.goingAway, 'the server ends');
    const impatience = new AbortController();
    const late = pause(STOP_WITHIN_MS, impatience.signal).then(() => !impatience.signal.aborted);
    const left = Promise.all([...this.#clients].map((client) => client.gone())).then(() => false);
    if (await Promise.race([left, late]))
      this.#options.log.warn(
        `${this.#clients.size} clients could not be told off in time: Redis does not answer`,
      );
    await this.#options.layer.close();
    await Promise.race([closed, late]);
    impatience.abort();
    this.#http.closeAllConnections();
  }

  async #listen(): Promise<void> {
    const { host, port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#http.once('error', (error) => reject(cannotListen(host, port, error)));
      this.#http.listen(port, host, resolve);
    });
    this.#http.removeAllListeners('error');
    this.#http.on('error', (error) =>
      this.#log.say('error', 'accept', `cannot accept a connection: ${error.message}`),
    );
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => {}); // a client that goes in the middle of its handshake
    const destination = destinationOf(request.url ?? '');
    const sendAway = (code: number, reason: string): void =>
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.on('error', () => {});
        closeSocket(webSocket, code, reason);
      });
    if (destination.kind === 'nothing' || destination.kind === 'health') refuse(socket, 404, NOT_FOUND);
    else if (this.#stopping !== undefined) refuse(socket, 503, 'the server ends');
    else if (this.#isFull()) refuse(socket, 503, 'the server is full; try again later');
    else if (destination.kind === 'bad-name') sendAway(CLOSE.policy, ROOM_NAME_RULE);
    else if (this.#health.trouble !== undefined) sendAway(CLOSE.tryAgainLater, NO_LAYER);
    else {
      this.#joining++;
      void this.#join(destination.room, { request, socket, head, sendAway }).finally(() => this.#joining--);
    }
  }

  #isFull(): boolean {
    const { clientLimit } = this.#options;
    if (this.#clients.size + this.#joining < clientLimit) return false;
    this.#log.say(
      'warn',
      'full',
      `the server is full: ${clientLimit} clients, and one more was refused (503)`,
    );
    return true;
  }

  /** The client is a member of the group before its handshake ends, as in Django: from then on it misses nothing. */
  async #join(room: string, { request, socket, head, sendAway }: Knock): Promise<void> {
    let client: Client | undefined;
    let early: unknown;
    const consumer = new Consumer(this.#options.layer, room, {
      deliver: (frame) => client?.deliver(frame),
      failed: (error) => {
        if (client === undefined) early = error;
        else this.#failed(error, client);
      },
      notUnderstood: () =>
        this.#log.say(
          'warn',
          'not-understood',
          `a message to the group of ${room} is none of a chat and was passed over`,
        ),
    });
    const connecting = consumer.connect();
    try {
      await inTime(connecting);
    } catch (error) {
      // It may still succeed, when nobody waits for it any more.
      connecting.then(() => consumer.disconnect()).catch(() => {});
      if (!socket.destroyed) this.#failed(error, { close: sendAway });
      return;
    }
    let open: WebSocket | undefined;
    if (!socket.destroyed)
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => {
        open = webSocket;
      });
    // Refused by ws (a handshake that is none), or the client has gone.
    if (open === undefined) return consumer.disconnect();
    client = new Client({
      socket: open,
      consumer,
      log: this.#log,
      bufferLimit: this.#options.bufferLimit,
      onGone: () => void this.#clients.delete(client as Client),
    });
    this.#clients.add(client);
    if (this.#stopping !== undefined) client.close(CLOSE.goingAway, 'the server ends');
    else if (early !== undefined) this.#failed(early, client);
    else consumer.accept();
  }

  /** The layer has failed one client, or a bug of ours has. */
  #failed(error: unknown, client: Pick<Client, 'close'>): void {
    const { code, reason } = closeFor(error);
    client.close(code, reason);
    if (this.#stopping !== undefined) return;
    if (!(error instanceof GaptraceError)) {
      const stack = error instanceof Error ? error.stack : String(error);
      this.#log.say('error', 'bug', `a bug in gaptrace; the client is sent away (${code}): ${stack}`);
      return;
    }
    if (this.#health.trouble === undefined)
      this.#log.say('warn', error.code, `a client is sent away (${code}): ${error.message}`);
    void this.#health.suspect(error);
  }

  #down(error: unknown): void {
    this.#options.log.error(
      `${messageOf(error)}; ${this.#clients.size} clients are sent away and none let in (${CLOSE.tryAgainLater}) until it answers; trying again`,
    );
    for (const client of this.#clients) client.close(CLOSE.tryAgainLater, NO_LAYER);
  }

  #rejoin(): void {
    for (const client of this.#clients)
      client.rejoin().catch((error: unknown) => this.#failed(error, client));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { kind } = destinationOf(request.url ?? '');
    if (kind === 'nothing') say(response, 404, `${NOT_FOUND}\n`);
    else if (kind !== 'health')
      say(response.setHeader('Upgrade', 'websocket'), 426, 'this is the path of a WebSocket\n');
    else if (request.method !== 'GET' && request.method !== 'HEAD')
      say(response.setHeader('Allow', 'GET, HEAD'), 405, 'ask with GET\n');
    else void this.#answerHealth(response);
  }

  async #answerHealth(response: ServerResponse): Promise<void> {
    const clients = this.#clients.size;
    try {
      if (this.#stopping !== undefined) throw new Error('the server ends');
      await this.#health.check();
      say(response, 200, `${JSON.stringify({ status: 'ok', clients })}\n`);
    } catch (error) {
      say(response, 503, `${JSON.stringify({ status: 'unavailable', why: messageOf(error), clients })}\n`);
    }
  }
}

/** A client at the door, and the way to send it away. */
interface Knock {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly sendAway: (code: number, reason: string) => void;
}

const NO_LAYER = 'the server cannot reach its Redis; try again later';
const NOT_FOUND = 'nothing here: rooms are at /ws/chat/<room>/';

/** Rejects with GAPTRACE_LAYER_REDIS_DOWN when joining takes too long. */
async function inTime(joining: Promise<void>): Promise<void> {
  const done = new AbortController();
  const tooLate = pause(JOIN_WITHIN_MS, done.signal).then(() => {
    if (done.signal.aborted) return;
    throw new GaptraceError(
      'GAPTRACE_LAYER_REDIS_DOWN',
      `the channel layer has not let a client in for ${JOIN_WITHIN_MS / 1000} s`,
      { exitStatus: 1 },
    );
  });
  await Promise.race([joining, tooLate]).finally(() => done.abort());
}

function say(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, {
    'Content-Type': text.startsWith('{') ? 'application/json' : 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
  });
  response.end(text);
}

/** Answers a handshake with an HTTP status. */
function refuse(socket: Duplex, status: number, text: string): void {
  const body = `${text}\n`;
  socket.once('finish', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `${status === 503 ? 'Retry-After: 5\r\n' : ''}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function cannotListen(host: string, port: number, error: NodeJS.ErrnoException): GaptraceError {
  const where = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  if (error.code === 'EADDRINUSE')
    return new GaptraceError(
      'GAPTRACE_PORT_TAKEN',
      `cannot listen on ${where}: the port is taken; stop what listens there, or give another one (--port 0 picks a free one)`,
      { cause: error },
    );
  return new GaptraceError(
    'GAPTRACE_LISTEN',
    `cannot listen on ${where}: ${error.code ?? error.message}; see --host and --port`,
    { cause: error },
  );
}
