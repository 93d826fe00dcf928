/**
 * One chat client: joins a room and sends its count at a steady rate. It says what happens by events; who watches for gaps
 * is its owner (tester.ts, swarm.ts).
 *
 * It speaks the protocol of the chat servers (server/): a WebSocket at /ws/chat/<room>/, messages
 * {"my_id": "<uuid>", "count": n} with n from 0 by 1.
 *
 * Messages go out on a grid of moments, so that a late timer does not lower the rate, and a plan can say beforehand
 * when they go (schedule.ts): moments that pass before the connection is open are left out, and the count begins after them.
 */
import { randomUUID } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { STATUS_CODES } from 'node:http';
import { WebSocket } from 'ws';
import { GaptraceError, messageOf } from '../terminal/errors.js';
import { type ChatMessage, printable, readChatMessage } from './chat-message.js';
import { describeClose } from './close-code.js';

export interface ChatClientOptions {
  /** Where the server is, such as `ws://127.0.0.1:8000`. Throws GAPTRACE_CHAT_URL for anything else. */
  readonly url: string;
  readonly room: string;
  /** What the client is called in reports. Its sender id by default. */
  readonly name?: string;
  /** Messages a second, 10 by default; 0 only listens. */
  readonly rate?: number;
  /** The first moment of the grid on which it sends, as performance.now() gives it. When it has joined, by default. */
  readonly sendFromMs?: number;
  /** How long the server may take to answer, both to let it in and later to a ping. */
  readonly answerWithinMs?: number;
}

export interface Closed {
  /** The WebSocket close code; 1006 where the connection broke. */
  readonly code: number;
  /** The server's words, or ours where it was a protocol error that we saw. */
  readonly reason: string;
  /** We asked for it, by `leave`. */
  readonly asked: boolean;
}

interface ChatEvents {
  /** Connected: nothing was sent or received yet. */
  joined: [];
  sent: [count: number];
  message: [message: ChatMessage, data: Buffer];
  closed: [Closed];
}

/** How long the server is given to answer the closing handshake. */
const CLOSING_MS = 2_000;

const ANSWER_WITHIN_MS = 20_000;

/** A server is asked so many times before it is given up: not by the clock alone, which goes on while we ourselves are stopped. */
const PINGS = 4;

/** No chat message is larger; a server that sends one is told so (1009). */
const LARGEST_MESSAGE = 1024 * 1024;

export class ChatClient extends EventEmitter<ChatEvents> {
  /** The sender id: new for each client. */
  readonly id = randomUUID();
  readonly name: string;
  readonly room: string;
  /** The WebSocket's URL, without a password, for people. */
  readonly address: string;
  readonly #url: URL;
  readonly #interval: number;
  readonly #sendFromMs: number | undefined;
  readonly #answerWithinMs: number;
  #socket: WebSocket | undefined;
  #sending: NodeJS.Timeout | undefined;
  #pinging: NodeJS.Timeout | undefined;
  /** Pings since the server was last heard. */
  #unanswered = 0;
  #leaving = false;
  #broke = '';

  constructor(options: ChatClientOptions) {
    super();
    this.name = options.name ?? this.id;
    this.room = options.room;
    this.#url = roomUrl(options.url, options.room);
    this.address = `${this.#url.protocol}//${this.#url.host}${this.#url.pathname}`;
    const rate = options.rate ?? 10;
    this.#interval = rate > 0 ? 1000 / rate : Number.POSITIVE_INFINITY;
    this.#sendFromMs = options.sendFromMs;
    this.#answerWithinMs = options.answerWithinMs ?? ANSWER_WITHIN_MS;
  }

  /** Joins the room and begins to send. Rejects with GAPTRACE_CHAT_CONNECT where that fails. Once for each client. */
  async join(): Promise<void> {
    const socket = new WebSocket(this.#url, {
      perMessageDeflate: false,
      handshakeTimeout: this.#answerWithinMs,
      maxPayload: LARGEST_MESSAGE,
    });
    this.#socket = socket;
    socket.on('message', (data, isBinary) => {
      this.#unanswered = 0;
      this.emit('message', readChatMessage(data as Buffer, isBinary), data as Buffer);
    });
    socket.on('pong', () => {
      this.#unanswered = 0;
    });
    let joined = false;
    socket.on('close', (code, reason) => {
      if (joined) this.#closed(code, reason.toString());
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => {
        joined = true;
        this.emit('joined');
        resolve();
      });
      socket.once('unexpected-response', (_request, { statusCode }) => reject(refusal(statusCode)));
      // After the handshake the close that follows says it; what broke the connection, if it was the protocol, is its reason.
      socket.on('error', (error) => {
        this.#broke = error.message;
        reject(error);
      });
    }).catch((error: unknown) => {
      socket.terminate();
      throw this.#notJoined(error);
    });
    this.#keepAlive(socket);
    this.#sendAll(socket);
  }

  /** Sends no more, and goes on listening. */
  fallSilent(): void {
    clearTimeout(this.#sending);
    this.#sending = undefined;
  }

  /** Leaves the room, as a browser does that is closed properly, and resolves when the connection is gone. */
  async leave(): Promise<void> {
    this.fallSilent();
    this.#leaving = true;
    const socket = this.#socket;
    if (socket === undefined || socket.readyState === WebSocket.CLOSED) return;
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.close(1000);
    const impatience = setTimeout(() => socket.terminate(), CLOSING_MS);
    await closed;
    clearTimeout(impatience);
  }

  #sendAll(socket: WebSocket): void {
    if (!Number.isFinite(this.#interval) || this.#leaving) return;
    const nowMs = performance.now();
    const from = this.#sendFromMs ?? nowMs;
    const passed = Math.max(0, Math.ceil((nowMs - from) / this.#interval));
    const dueMs = (count: number): number => from + (passed + count) * this.#interval - performance.now();
    const send = (count: number): void => {
      if (socket.readyState !== WebSocket.OPEN) return;
      socket.send(JSON.stringify({ my_id: this.id, count }));
      this.#sending = setTimeout(send, dueMs(count + 1), count + 1);
      this.emit('sent', count);
    };
    this.#sending = setTimeout(send, dueMs(0), 0);
  }

  /** A server that has stopped answering looks like a quiet room, until it is asked. */
  #keepAlive(socket: WebSocket): void {
    if (socket.readyState !== WebSocket.OPEN) return;
    this.#pinging = setInterval(() => {
      if (socket.readyState !== WebSocket.OPEN) return;
      if (this.#unanswered++ < PINGS) return socket.ping();
      this.#broke = `the server has not answered for ${this.#answerWithinMs / 1000} s`;
      socket.terminate();
    }, this.#answerWithinMs / PINGS);
  }

  #closed(code: number, reason: string): void {
    this.fallSilent();
    clearInterval(this.#pinging);
    this.emit('closed', { code, reason: printable(reason || this.#broke), asked: this.#leaving });
  }

  #notJoined(error: unknown): GaptraceError {
    const { code } = error as NodeJS.ErrnoException;
    const message = messageOf(error) || (code ?? 'no reason given');
    const why = /handshake has timed out/.test(message)
      ? `the server did not answer within ${this.#answerWithinMs / 1000} s`
      : code?.startsWith('HPE_')
        ? 'what listens there does not speak HTTP'
        : message;
    return new GaptraceError('GAPTRACE_CHAT_CONNECT', `cannot join ${this.address}: ${why}`, {
      cause: error,
    });
  }
}

/** What to say of a connection that the server, or the network, ended. */
export function lostConnection(client: ChatClient, { code, reason }: Closed): GaptraceError {
  return new GaptraceError(
    'GAPTRACE_CHAT_CLOSED',
    `${client.address}: the connection was closed by the server: ${describeClose(code, reason)}`,
  );
}

/** Where a room is. Throws GAPTRACE_CHAT_URL for what is not the URL of a WebSocket server. */
export function roomUrl(server: string, room: string): URL {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  if (url === undefined || !['ws:', 'wss:'].includes(url.protocol) || url.search !== '' || url.hash !== '')
    throw new GaptraceError(
      'GAPTRACE_CHAT_URL',
      `'${server.replace(/\/\/[^@/]*@/, '//')}' is not the URL of a chat server: give ws://HOST:PORT, or wss:// for TLS`,
    );
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/ws/chat/${encodeURIComponent(room)}/`;
  return url;
}

function refusal(status = 0): Error {
  const meaning = STATUS_CODES[status];
  return new Error(`the server refused it: HTTP ${status}${meaning === undefined ? '' : ` (${meaning})`}`);
}
