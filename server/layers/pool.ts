/**
 * The connections to one Redis host: one for each command in flight, the last used taken first, as many as it needs, as redis-py's
 * ConnectionPool has it. A connection on which a command was cancelled is cut, reply or no reply, and not used again.
 */
import { GaptraceError } from '../../terminal/errors.js';
import type { Command, RedisReply } from './commands.js';
import { RedisConnection } from './connection.js';
import type { RedisHost } from './hosts.js';

export class RedisPool {
  readonly #idle: RedisConnection[] = [];
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
    const connection = await this.#take(signal);
    const abort = (): void => connection.cut();
    signal?.addEventListener('abort', abort, { once: true });
    try {
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
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (idle.alive) return idle;
      this.#open.delete(idle);
    }
    this.#checkOpen();
    try {
      const connection = await RedisConnection.open(this.host, signal);
      if (this.#closed || signal?.aborted) connection.cut();
      this.#checkOpen();
      this.#open.add(connection);
      signal?.throwIfAborted();
      return connection;
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  }

  #giveBack(connection: RedisConnection): void {
    // One that the pool has forgotten was cut by `close`.
    if (connection.alive && this.#open.has(connection)) this.#idle.push(connection);
    else this.#open.delete(connection);
  }

  #checkOpen(): void {
    if (this.#closed) throw layerClosed();
  }
}

/** GAPTRACE_LAYER_CLOSED: what everything under way ends with when the layer is closed, and everything after. */
export function layerClosed(): GaptraceError {
  return new GaptraceError('GAPTRACE_LAYER_CLOSED', 'the channel layer is closed');
}
