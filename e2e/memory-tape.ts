/** A tape in memory: what a tunnel told the recorder, by connection, for tests that look at exactly that. */
import type { ClosedBody, OpenedBody } from '../proxy/tape.js';
import type { Recording } from '../proxy/tunnel.js';

export interface TapedConnection {
  readonly opened: OpenedBody;
  readonly client: Buffer[];
  readonly redis: Buffer[];
  /** Bytes read from each side. */
  fromClient: number;
  fromRedis: number;
  /** Of those from Redis: handed to the client's kernel, as the flags and `flushed` records say. */
  flushed: number;
  closed: ClosedBody | null;
  ended: boolean;
  /** In order: `client 14`, `redis 5 flushed`, `flushed 5`, `closed by client fin`, `ended`. */
  readonly events: string[];
}

export class MemoryTape implements Recording {
  readonly connections: TapedConnection[] = [];
  readonly #keepBytes: boolean;
  #waiters: (() => void)[] = [];

  constructor(options: { readonly keepBytes?: boolean } = {}) {
    this.#keepBytes = options.keepBytes ?? true;
  }

  nowUs(): number {
    return Math.floor(performance.now() * 1000);
  }

  /** Connections are numbered from 1. */
  connection(number: number): TapedConnection {
    const found = this.connections[number - 1];
    if (found === undefined) throw new Error(`connection ${number} is not on the tape`);
    return found;
  }

  /** Resolves when `condition` holds; looked at after each record. */
  async until(condition: (tape: MemoryTape) => boolean): Promise<void> {
    while (!condition(this)) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  opened(connection: number, _atUs: number, opened: OpenedBody): void {
    if (connection !== this.connections.length + 1) throw new Error(`connection ${connection} out of order`);
    const counts = { fromClient: 0, fromRedis: 0, flushed: 0, closed: null, ended: false };
    this.connections.push({ opened, client: [], redis: [], ...counts, events: [] });
    this.#wake();
  }

  clientBytes(connection: number, _atUs: number, chunk: Uint8Array): void {
    const taped = this.connection(connection);
    if (this.#keepBytes) taped.client.push(Buffer.from(chunk));
    taped.fromClient += chunk.length;
    taped.events.push(`client ${chunk.length}`);
    this.#wake();
  }

  redisBytes(connection: number, _atUs: number, chunk: Uint8Array, flushed: boolean): void {
    const taped = this.connection(connection);
    if (this.#keepBytes) taped.redis.push(Buffer.from(chunk));
    taped.fromRedis += chunk.length;
    if (flushed) taped.flushed = taped.fromRedis;
    taped.events.push(`redis ${chunk.length}${flushed ? ' flushed' : ''}`);
    this.#wake();
  }

  flushed(connection: number, _atUs: number, totalBytes: number): void {
    const taped = this.connection(connection);
    if (totalBytes <= taped.flushed || totalBytes > taped.fromRedis)
      throw new Error(`flushed ${totalBytes} is out of order`);
    taped.flushed = totalBytes;
    taped.events.push(`flushed ${totalBytes}`);
    this.#wake();
  }

  closed(connection: number, _atUs: number, body: ClosedBody): void {
    const taped = this.connection(connection);
    if (taped.closed !== null) throw new Error('closed twice');
    taped.closed = body;
    taped.events.push(`closed by ${body.by} ${body.how}`);
    this.#wake();
  }

  ended(connection: number, _atUs: number): void {
    const taped = this.connection(connection);
    if (taped.ended || taped.closed === null) throw new Error('ended twice, or before it was closed');
    taped.ended = true;
    taped.events.push('ended');
    this.#wake();
  }

  #wake(): void {
    for (const waiter of this.#waiters.splice(0)) waiter();
  }
}
