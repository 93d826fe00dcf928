/**
 * The one reader of a queue in a process that loses nothing: pop, back up, hand on, acknowledge, for ever, on a connection of its own.
 *
 * Nothing ends it but `stop`: when Redis goes away it tries again, longer apart each time, and says so once. A popped message
 * is handed on whatever becomes of the connection, because it may be the only copy. One that Redis may still hold as
 * not acknowledged is remembered by its random bytes, so that it is not handed on again when it is restored.
 *
 * Only waiting takes a pop that may block. What has come in behind the popped message is taken in bunches, by a script that backs it up in the
 * same moment, each bunch together with the acknowledgement of the one before. So one round trip serves as many messages as came
 * during the last one, and a busy process keeps up however long its round trips are.
 */
import { messageOf } from '../../terminal/errors.js';
import { backOff, pause } from './backoff.js';
import {
  acknowledgeThese,
  backUp,
  type Command,
  type Popped,
  pop,
  poppedOf,
  putBack,
  type RedisReply,
  restore,
  take,
  takenOf,
} from './commands.js';
import { RedisConnection } from './connection.js';
import { RANDOM_BYTES } from './message.js';
import type { LayerSettings } from './options.js';
import type { RedisPool } from './pool.js';

/** Messages in one bunch: so many are handed on in one go. */
const BUNCH = 100;
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
  /** Handed on and backed up, to be acknowledged with the next command. */
  #unacknowledged: readonly Popped[] = [];
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
    // In a row, since the last step that went well; and whether the operator thinks that the queue is not read.
    let failures = 0;
    let lost = false;
    while (!signal.aborted) {
      try {
        this.#failed = undefined;
        this.#unacknowledged = []; // on a new connection they are restored, popped and acknowledged again
        this.#connection = await RedisConnection.open(pool.host, signal);
        this.#clientId = Number(await this.#connection.send(['CLIENT', 'ID']));
        await this.#connection.send(restore(queue));
        if (lost) this.#tell('redis-back', `Redis at ${pool.host.label} is back: ${queue} is read again`);
        lost = false;
        while (!signal.aborted) {
          await this.#step(this.#connection, signal);
          failures = 0;
        }
        await this.#settle(this.#connection);
      } catch (error) {
        failures++;
        if (failures === 1 && !signal.aborted) {
          this.#tell('redis-lost', `${queue} is not read until Redis is back: ${messageOf(error)}`);
          lost = true;
        }
      }
      this.#connection?.cut();
      this.#connection = undefined;
      this.#clientId = undefined;
      if (!signal.aborted) await backOff(failures, signal);
    }
  }

  /** One message, or none within the pop's time. Throws when the connection should begin anew; no message is in between then. */
  async #step(connection: RedisConnection, signal: AbortSignal): Promise<void> {
    const { shared, wanted } = this.parts;
    if (shared && !wanted()) {
      await this.#settle(connection);
      await this.#untilWanted(signal);
    }
    if (signal.aborted) return;
    const popped = poppedOf(await this.#acknowledgeAnd(connection, pop(this.parts.queue)));
    // Empty, and every acknowledgement done: nothing that this process has handed on can come again.
    if (popped === null && this.#failed === undefined) this.#unconfirmed.clear();
    if (popped !== null) await this.#handle(connection, popped);
    if (this.#failed !== undefined) throw this.#failed;
  }

  async #handle(connection: RedisConnection, popped: Popped): Promise<void> {
    const { queue, shared, wanted } = this.parts;
    const back = backUp(queue, popped);
    if (!shared) {
      this.#handOn(popped);
      await this.#take(connection, back, [popped]);
      return;
    }
    const known = this.#unconfirmed.has(identityOf(popped));
    try {
      await connection.send(back);
      if (!known && !wanted()) {
        await connection.transaction(putBack(queue, popped));
        return;
      }
    } catch (error) {
      this.#failed = error;
    }
    this.#handOn(popped);
    if (this.#failed === undefined) this.#unacknowledged = [popped];
  }

  /** Bunch after bunch, until nothing waits in the queue. `command` goes ahead, for the messages `handedOn`. */
  async #take(connection: RedisConnection, command: Command, handedOn: readonly Popped[]): Promise<void> {
    const { queue } = this.parts;
    const { signal } = this.#stopping;
    try {
      const [, reply] = await Promise.all(connection.together([command, take(queue, BUNCH)]));
      let bunch = takenOf(reply as RedisReply);
      this.#unacknowledged = [...handedOn, ...bunch];
      for (const taken of bunch) this.#handOn(taken);
      while (bunch.length > 0 && this.#failed === undefined && !signal.aborted) {
        bunch = takenOf(await this.#acknowledgeAnd(connection, take(queue, BUNCH)));
        this.#unacknowledged = bunch;
        for (const taken of bunch) this.#handOn(taken);
      }
    } catch (error) {
      this.#failed = error;
    }
  }

  #handOn(popped: Popped): void {
    const identity = identityOf(popped);
    if (this.#unconfirmed.has(identity)) return;
    this.#unconfirmed.add(identity);
    this.parts.handOn(popped.member);
  }

  /** The next command, with the acknowledgement of the messages before it: one packet, done by Redis in this order. */
  #acknowledgeAnd(connection: RedisConnection, command: Command): Promise<RedisReply> {
    const confirmed = this.#unacknowledged;
    if (confirmed.length === 0) return connection.send(command);
    this.#unacknowledged = [];
    const [acknowledged, reply] = connection.together([
      acknowledgeThese(this.parts.queue, confirmed),
      command,
    ]);
    acknowledged?.then(
      () => this.#confirm(confirmed),
      (error: unknown) => {
        this.#failed = error;
      },
    );
    return reply as Promise<RedisReply>;
  }

  /** Sends the acknowledgement that would go with the next command. */
  async #settle(connection: RedisConnection): Promise<void> {
    const confirmed = this.#unacknowledged;
    if (confirmed.length === 0) return;
    this.#unacknowledged = [];
    await connection.send(acknowledgeThese(this.parts.queue, confirmed));
    this.#confirm(confirmed);
  }

  #confirm(confirmed: readonly Popped[]): void {
    for (const popped of confirmed) this.#unconfirmed.delete(identityOf(popped));
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

/** Two equal messages differ in these bytes. */
function identityOf({ member }: Popped): string {
  return member.toString('latin1', 0, RANDOM_BYTES);
}
