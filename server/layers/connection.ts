/**
 * One connection to Redis, for one user at a time, that ends when anything goes wrong with it: as redis-py has it, and unlike
 * ioredis' own way, which shares a connection among all, comes back by itself and sends again what had no reply. Sending a
 * pop or a group_send again would make duplicates that the layer under observation does not make.
 */
import { Redis, ReplyError } from 'ioredis';
import { GaptraceError, messageOf } from '../../terminal/errors.js';
import type { Command, RedisReply } from './commands.js';
import type { RedisHost } from './hosts.js';

export class RedisConnection {
  #alive = true;

  private constructor(
    private readonly host: RedisHost,
    private readonly redis: Redis,
  ) {
    redis.once('end', () => {
      this.#alive = false;
    });
  }

  /** Connects, and logs in where the host wants it. Rejects with GAPTRACE_LAYER_REDIS_DOWN, or _REFUSED for a wrong password. */
  static async open(host: RedisHost, signal?: AbortSignal): Promise<RedisConnection> {
    const redis = newClient(host);
    let reason: unknown;
    redis.on('error', (error) => {
      reason ??= error;
    });
    const abort = (): void => destroy(redis);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      await redis.connect();
    } catch (error) {
      throw failure(host, 'the connection', reason ?? error);
    } finally {
      signal?.removeEventListener('abort', abort);
    }
    return new RedisConnection(host, redis);
  }

  /** False once it has ended, from whichever side; also in the moment in which ioredis has not said so yet. */
  get alive(): boolean {
    return this.#alive && this.redis.stream.writable;
  }

  /** Sends one command and gives its reply, texts as bytes. Rejects with GAPTRACE_LAYER_REDIS_DOWN or GAPTRACE_LAYER_REDIS_REFUSED. */
  async send([name, ...args]: Command): Promise<RedisReply> {
    try {
      return (await this.redis.callBuffer(name, ...args.map(argumentOf))) as RedisReply;
    } catch (error) {
      throw failure(this.host, name, error);
    }
  }

  /** Sends commands one behind the other in one packet; a promise for the reply of each, as `send` has it. */
  together(commands: readonly Command[]): readonly Promise<RedisReply>[] {
    const { stream } = this.redis;
    stream.cork();
    const replies = commands.map((command) => this.send(command));
    stream.uncork();
    return replies;
  }

  /** Sends commands one behind the other between MULTI and EXEC, at once; Redis does them together. */
  async transaction(commands: readonly Command[]): Promise<void> {
    const batch = this.redis.multi();
    for (const [name, ...args] of commands) batch.call(name, ...args.map(argumentOf));
    try {
      const replies = await batch.exec();
      const failed = replies?.find(([error]) => error !== null)?.[0];
      if (failed) throw failed;
    } catch (error) {
      throw failure(this.host, 'a transaction', error);
    }
  }

  /** Ends it at once, in the middle of whatever it does: the command under way rejects, and its reply is read by nobody. */
  cut(): void {
    this.#alive = false;
    destroy(this.redis);
  }
}

/** A client of ioredis that does nothing by itself; not connected yet. It says on the wire only what it is told. */
export function newClient({ client }: RedisHost): Redis {
  return new Redis({
    ...client,
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    enableReadyCheck: false,
    enableOfflineQueue: false,
    disableClientInfo: true,
  });
}

/** Closes the socket now. `disconnect` alone would say goodbye and go on reading. */
export function destroy(redis: Redis): void {
  redis.disconnect();
  // Not there while the client has not begun to connect, whatever its type says.
  const stream: { destroy(): void } | undefined = redis.stream;
  stream?.destroy();
}

/** What went wrong with Redis, as the layer says it. */
export function failure(host: RedisHost, what: string, error: unknown): GaptraceError {
  if (error instanceof GaptraceError) return error;
  if (error instanceof ReplyError)
    return new GaptraceError(
      'GAPTRACE_LAYER_REDIS_REFUSED',
      `Redis at ${host.label} refuses ${what}: ${messageOf(error)}`,
      { exitStatus: 1, cause: error },
    );
  return new GaptraceError(
    'GAPTRACE_LAYER_REDIS_DOWN',
    `no Redis at ${host.label}, or it went away: ${messageOf(error)}`,
    { exitStatus: 1, cause: error },
  );
}

function argumentOf(value: string | Uint8Array | number): string | Buffer | number {
  return value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
}
