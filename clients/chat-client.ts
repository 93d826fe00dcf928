/**
 * One chat client: joins a room, sends its count at a steady rate, and keeps a ledger of what the others send.
 *
 * It speaks the protocol of the chat servers (server/): a WebSocket at /ws/chat/<room>/, messages
 * {"my_id": "<uuid>", "count": n} with n from 0 by 1. Whatever else comes ({"connect": …}, {"disconnect": …}) is passed over.
 * It says what happens by events; what to do about a gap is for the caller.
 */
import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { WebSocket } from 'ws';
import { GaptraceError, messageOf } from '../terminal/errors.js';
import { type GapReport, type LoggedMessage, missingOf } from './gap-report.js';
import { Ledger } from './ledger.js';

export interface ChatClientOptions {
  /** Where the server is, such as `ws://127.0.0.1:8000`. */
  readonly url: string;
  readonly room: string;
  /** What the client is called in reports. Its sender id by default. */
  readonly name?: string;
  /** Messages a second; 0 only listens. */
  readonly rate?: number;
}

interface ChatEvents {
  sent: [LoggedMessage];
  received: [LoggedMessage];
  gap: [GapReport];
  /** The connection is closed, by whom ever: the WebSocket close code, such as 1000, or 1006 where it broke. */
  closed: [code: number];
}

/** How long the server is given to answer the closing handshake. */
const CLOSING_MS = 2_000;

export class ChatClient extends EventEmitter<ChatEvents> {
  /** The sender id: new for each client. */
  readonly id = randomUUID();
  readonly name: string;
  readonly room: string;
  readonly #url: string;
  readonly #interval: number;
  readonly #ledger = new Ledger<string>();
  #socket: WebSocket | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ChatClientOptions) {
    super();
    this.name = options.name ?? this.id;
    this.room = options.room;
    this.#url = `${options.url.replace(/\/+$/, '')}/ws/chat/${encodeURIComponent(options.room)}/`;
    const rate = options.rate ?? 10;
    this.#interval = rate > 0 ? 1000 / rate : Number.POSITIVE_INFINITY;
  }

  /** Joins the room and begins to send. Rejects with GAPTRACE_CHAT_CONNECT where that fails. Once for each client. */
  async join(): Promise<void> {
    const socket = new WebSocket(this.#url, { perMessageDeflate: false });
    this.#socket = socket;
    socket.on('message', (data, isBinary) => {
      if (!isBinary) this.#receive(data.toString());
    });
    socket.on('close', (code) => {
      clearTimeout(this.#timer);
      this.emit('closed', code);
    });
    try {
      await once(socket, 'open');
    } catch (error) {
      throw new GaptraceError(
        'GAPTRACE_CHAT_CONNECT',
        `cannot join ${this.#url}: ${messageOf(error) || (error as NodeJS.ErrnoException).code}`,
        {
          cause: error,
        },
      );
    }
    socket.on('error', () => {}); // a broken connection closes with 1006, which says it all
    this.#sendAll(socket);
  }

  /** Leaves the room, as a browser does that is closed properly, and resolves when the connection is gone. */
  async leave(): Promise<void> {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    if (socket === undefined || socket.readyState === WebSocket.CLOSED) return;
    const closed = once(socket, 'close');
    socket.close(1000);
    const impatience = setTimeout(() => socket.terminate(), CLOSING_MS);
    await closed;
    clearTimeout(impatience);
  }

  /** Sends count after count, each at its time from the start on, so that a late timer does not lower the rate. */
  #sendAll(socket: WebSocket): void {
    if (!Number.isFinite(this.#interval)) return;
    const start = performance.now();
    const send = (count: number): void => {
      if (socket.readyState !== WebSocket.OPEN) return;
      socket.send(JSON.stringify({ my_id: this.id, count }));
      this.emit('sent', this.#message(this.id, count));
      const due = start + (count + 1) * this.#interval;
      this.#timer = setTimeout(send, due - performance.now(), count + 1);
    };
    send(0);
  }

  #receive(text: string): void {
    const counted = countedIn(text);
    if (counted === undefined) return;
    const message = this.#message(counted.my_id, counted.count);
    this.emit('received', message);
    const arrival = this.#ledger.receive(counted.my_id, counted.count, new Date().toISOString());
    if (arrival.kind !== 'gap') return;
    const { client, room } = message;
    const { sender, expected, received, at } = arrival.gap;
    this.emit('gap', { client, room, sender, expected, received, missing: missingOf(arrival.gap), at });
  }

  #message(sender: string, count: number): LoggedMessage {
    return { client: this.name, room: this.room, sender, count, at: new Date().toISOString() };
  }
}

/** The sender and the count of a chat message; undefined for any other text. */
function countedIn(text: string): { readonly my_id: string; readonly count: number } | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (value === null || typeof value !== 'object') return undefined;
  const { my_id, count } = value as { my_id?: unknown; count?: unknown };
  if (typeof my_id !== 'string' || typeof count !== 'number' || !Number.isSafeInteger(count) || count < 0)
    return undefined;
  return { my_id, count };
}
