/**
 * The one reader of a queue in a process that loses nothing: pop, back up, hand on, acknowledge, for ever, on a connection of its own.
 *
 * Nothing ends it but `stop`: when Redis goes away it tries again, longer apart each time, and says so once. A popped message
 * is handed on whatever becomes of the connection, because it may be the only copy. One that Redis may still hold as
 * not acknowledged is remembered by its random bytes, so that it is not handed on again when it is restored.
 */
import { messageOf } from '../../terminal/errors.js';
import { backOff, pause } from './backoff.js';
import {
  acknowledge,
  acknowledgeOne,
  backUp,
  type Popped,
  pop,
  poppedOf,
  putBack,
  restore,
} from './commands.js';
import { RedisConnection } from './connection.js';
import { RANDOM_BYTES } from './message.js';
import type { LayerSettings } from './options.js';
import type { RedisPool } from './pool.js';

/** How long `stop` waits for a pop to end before it cuts the connection, in ms. */
const PATIENCE_MS = 1_000;

export interface QueueLoopParts {
  readonly pool: RedisPool;
  readonly queue: string;
  /** Other processes read the queue too: pop only while `wanted`, and acknowledge nobody else's message. */
  readonly shared: boolean;
  readonly settings: LayerSettings;
  /** Does a consumer wait for a message of the queue? */
  wanted(): boolean;
  /** A message has come. */
  handOn(member: Uint8Array): void;
}

export class QueueLoop {
  /** Random bytes of the messages handed on that Redis may still hold. */
  readonly #unconfirmed = new Set<string>();
  readonly #stopping = new AbortController();
  readonly #ended: Promise<void>;
  #wake: (() => void) | undefined;
  #connection: RedisConnection | undefined;
  #clientId: number | undefined;
  /** Why an acknowledgement failed; the connection begins anew then. */
  #failed: unknown;

  constructor(private readonly parts: QueueLoopParts) {
    this.#ended = this.#run();
  }

  /** Somebody waits for a message. */
  wake(): void {
    this.#wake?.();
  }

  /** Ends the loop, and with it the pop under way: Redis is asked to end that, so that it takes no message out any more. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.wake();
    const impatience = new AbortController();
    if (this.#clientId !== undefined)
      void this.parts.pool.send(['CLIENT', 'UNBLOCK', this.#clientId]).catch(() => this.#connection?.cut());
    await Promise.race([this.#ended, pause(PATIENCE_MS, impatience.signal)]);
    impatience.abort();
    this.#connection?.cut();
    await this.#ended;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    const { pool, queue } = this.parts;
    let failures = 0;
    while (!signal.aborted) {
      try {
        this.#failed = undefined;
        this.#connection = await RedisConnection.open(pool.host, signal);
        this.#clientId = Number(await this.#connection.send(['CLIENT', 'ID']));
        await this.#connection.send(restore(queue));
        if (failures > 0)
          this.#tell('redis-back', `Redis at ${pool.host.label} is back: ${queue} is read again`);
        failures = 0;
        while (!signal.aborted) await this.#step(this.#connection, signal);
      } catch (error) {
        failures++;
        if (failures === 1 && !signal.aborted)
          this.#tell('redis-lost', `${queue} is not read until Redis is back: ${messageOf(error)}`);
      }
      this.#connection?.cut();
      this.#connection = undefined;
      this.#clientId = undefined;
      if (!signal.aborted) await backOff(failures, signal);
    }
  }

  /** One message, or none within the pop's time. Throws when the connection should begin anew; no message is in between then. */
  async #step(connection: RedisConnection, signal: AbortSignal): Promise<void> {
    const { queue, shared } = this.parts;
    if (shared && !this.parts.wanted()) await this.#untilWanted(signal);
    if (signal.aborted) return;
    const popped = poppedOf(await connection.send(pop(queue)));
    // Empty, and every acknowledgement done: nothing that this process has handed on can come again.
    if (popped === null && this.#failed === undefined) this.#unconfirmed.clear();
    if (popped !== null) await this.#handle(connection, popped);
    if (this.#failed !== undefined) throw this.#failed;
  }

  async #handle(connection: RedisConnection, popped: Popped): Promise<void> {
    const { queue, shared, wanted, handOn } = this.parts;
    const identity = popped.member.toString('latin1', 0, RANDOM_BYTES);
    const known = this.#unconfirmed.has(identity);
    this.#unconfirmed.add(identity);
    try {
      await connection.send(backUp(queue, popped));
      if (shared && !known && !wanted()) {
        await connection.transaction(putBack(queue, popped));
        this.#unconfirmed.delete(identity);
        return;
      }
    } catch (error) {
      this.#failed = error;
    }
    if (!known) handOn(popped.member);
    if (this.#failed !== undefined) return;
    // Not waited for: the next pop goes out right behind it, and Redis does them in this order.
    connection.send(shared ? acknowledgeOne(queue, popped) : acknowledge(queue)).then(
      () => this.#unconfirmed.delete(identity),
      (error: unknown) => {
        this.#failed = error;
      },
    );
  }

  async #untilWanted(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.parts.wanted())
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    this.#wake = undefined;
  }

  #tell(event: 'redis-lost' | 'redis-back', message: string): void {
    this.parts.settings.notice({ event, level: event === 'redis-lost' ? 'warn' : 'info', message });
  }
}
