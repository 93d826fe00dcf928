/** A member of a chat room: what the server tells it of comings and goings, what it hears of the others, and how it is sent away. */
import { once } from 'node:events';
import { type ClientOptions, WebSocket } from 'ws';

export interface SentAway {
  readonly code: number;
  readonly reason: string;
}

export class Member {
  readonly socket: WebSocket;
  readonly #notices: string[] = [];
  readonly #messages: (string | Buffer)[] = [];
  readonly #closed: Promise<SentAway>;
  #wake: () => void = () => {};

  /** Joins; `joined` resolves when it is in. */
  constructor(url: string, room: string, options: ClientOptions = {}) {
    this.socket = new WebSocket(`${url}/ws/chat/${room}/`, options);
    this.socket.on('error', () => {}); // a close follows
    this.socket.on('message', (data: Buffer, isBinary) => {
      const text = data.toString();
      if (/^\{"(dis)?connect":/.test(text)) this.#notices.push(text);
      else this.#messages.push(isBinary ? data : text);
      this.#wake();
    });
    this.#closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => {
        resolve({ code, reason: reason.toString() });
        this.#wake();
      });
    });
  }

  static join(url: string, room: string, options: ClientOptions = {}): Promise<Member> {
    return new Member(url, room, options).joined();
  }

  /** Rejects where it is refused. */
  async joined(): Promise<this> {
    if (this.socket.readyState === WebSocket.CONNECTING) await once(this.socket, 'open');
    return this;
  }

  say(what: string | Buffer): void {
    this.socket.send(what);
  }

  /** The next notice; waits for it. */
  async sees(): Promise<{ connect?: string; disconnect?: string }> {
    return JSON.parse(String(await this.#next(this.#notices))) as { connect?: string; disconnect?: string };
  }

  /** The next message, a string or bytes; waits for it. */
  hears(): Promise<string | Buffer> {
    return this.#next(this.#messages);
  }

  /** All that has come and was not asked for yet. */
  get unheard(): readonly (string | Buffer)[] {
    return [...this.#notices, ...this.#messages];
  }

  /** How the connection ended; waits for that. */
  sentAway(): Promise<SentAway> {
    return this.#closed;
  }

  async leave(): Promise<void> {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.close();
    else this.socket.terminate();
    await this.#closed;
  }

  async #next<T>(queue: T[]): Promise<T> {
    for (;;) {
      const first = queue.shift();
      if (first !== undefined) return first;
      if (this.socket.readyState === WebSocket.CLOSED)
        throw new Error(`the connection was closed: ${JSON.stringify(await this.#closed)}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
