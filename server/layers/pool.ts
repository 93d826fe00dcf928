/**
 * The connections to one Redis host: one for each command in flight, the last used taken first, as many as it needs, as redis-py's
 * ConnectionPool has it. A connection on which a command was cancelled is cut, reply or no reply. Its place in the pool
 * stays, and who takes it next connects anew, also where another connection lies idle below: redis-py's way too.
 */
import { GaptraceError } from '../../terminal/errors.js';
import type { Command, RedisReply } from './commands.js';
import { RedisConnection } from './connection.js';
import type { RedisHost } from './hosts.js';

export class RedisPool {
  /** The places that nobody uses, the last used last: with its connection, or with none when that has ended. */
  readonly #idle: (RedisConnection | null)[] = [];
  readonly #open = new Set<RedisConnection>();
  #closed = false;

  constructor(readonly host: RedisHost) {}

  /** One command. Rejects with `signal.reason` once that is aborted, and cuts the connection; otherwise as RedisConnection. */
  send(command: Command, signal?: AbortSignal): Promise<RedisReply> {
    return this.use((connection) => connection.send(command), signal);
  }

  /** Commands that Redis does together. */
  transaction(commands: readonly Command[]): Promise<void> {
    return this.use((connection) => connection.transaction(commands));
  }

  /** Cuts every connection, also those in use. The pool can be used on unless `forGood`. */
  close(forGood: boolean): void {
    this.#closed ||= forGood;
    for (const connection of this.#open) connection.cut();
    this.#open.clear();
    this.#idle.length = 0;
  }

  async use<T>(work: (connection: RedisConnection) => Promise<T>, signal?: AbortSignal): Promise<T> {
    signal?.throwIfAborted();
    let connection: RedisConnection | null = null;
    const abort = (): void => connection?.cut();
    try {
      connection = await this.#take(signal);
      signal?.addEventListener('abort', abort, { once: true });
      return await work(connection);
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', abort);
      this.#giveBack(connection);
    }
  }

  async #take(signal?: AbortSignal): Promise<RedisConnection> {
    this.#checkOpen();
    const idle = this.#idle.pop();
    if (idle?.alive) return idle;
    if (idle) this.#open.delete(idle);
    const connection = await RedisConnection.open(this.host, signal);
    // Whatever happened meanwhile, nobody else knows this one.
    if (this.#closed || signal?.aborted) connection.cut();
    this.#checkOpen();
    signal?.throwIfAborted();
    this.#open.add(connection);
    return connection;
  }

  #giveBack(connection: RedisConnection | null): void {
    if (connection?.alive) {
      this.#idle.push(connection);
      return;
    }
    if (connection !== null) this.#open.delete(connection);
    this.#idle.push(null);
  }

  #checkOpen(): void {
    if (this.#closed) throw layerClosed();
  }
}

/** GAPTRACE_LAYER_CLOSED: what everything under way ends with when the layer is closed, and everything after. */
export function layerClosed(): GaptraceError {
  return new GaptraceError('GAPTRACE_LAYER_CLOSED', 'the channel layer is closed');
}
