/**
 * A connection to Redis with nothing between its user and the wire: requests go out when told, replies come in the order of the stream.
 * With it a scenario plays a client library of a certain version, also one that reads the wrong reply or none.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import RedisParser from 'redis-parser';

export type Said = Buffer | number | null | Error | readonly Said[];

export class WireClient {
  readonly #socket: Socket;
  readonly #replies: Said[] = [];
  readonly #readers: { resolve: (reply: Said) => void; reject: (error: Error) => void }[] = [];
  #closed = false;

  static async connect(port: number): Promise<WireClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new WireClient(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    const parser = new RedisParser({
      returnBuffers: true,
      returnReply: (reply: unknown) => this.#came(reply as Said),
      returnError: (error: Error) => this.#came(error),
    });
    socket.on('data', (bytes) => parser.execute(bytes));
    socket.on('error', () => {}); // a close follows
    socket.on('close', () => {
      this.#closed = true;
      for (const { reject } of this.#readers.splice(0)) reject(new Error('the connection is closed'));
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Replies that have come and that nobody has read. */
  get unread(): number {
    return this.#replies.length;
  }

  /** Sends a request and leaves its reply to whoever reads next. */
  send(...words: readonly (string | number | Uint8Array)[]): void {
    const parts = words.map((word) => (word instanceof Uint8Array ? word : Buffer.from(String(word))));
    const bytes = parts.flatMap((part) => [Buffer.from(`$${part.length}\r\n`), part, Buffer.from('\r\n')]);
    this.#socket.write(Buffer.concat([Buffer.from(`*${parts.length}\r\n`), ...bytes]));
  }

  /** The next reply of the stream, whoever asked for it. Rejects when the connection closes first. */
  read(): Promise<Said> {
    const reply = this.#replies.shift();
    if (reply !== undefined) return Promise.resolve(reply);
    if (this.#closed) return Promise.reject(new Error('the connection is closed'));
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  /** Sends a request and reads the next reply: a client in step gets its own. */
  call(...words: readonly (string | number | Uint8Array)[]): Promise<Said> {
    this.send(...words);
    return this.read();
  }

  /** Stops reading: what comes waits in the kernels on its way. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Says goodbye (FIN), as a client does that closes a connection in good order. */
  end(): void {
    this.#socket.end();
  }

  /** Closes at once, whatever is on its way. */
  destroy(): void {
    this.#socket.destroy();
  }

  #came(reply: Said): void {
    const reader = this.#readers.shift();
    if (reader) reader.resolve(reply);
    else this.#replies.push(reply);
  }
}
