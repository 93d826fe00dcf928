/**
 * Receives as channels_redis 4.0 does, with its weakness; that is the bug under observation (django/channels#1683).
 *
 *  consumer A ─┐ turn                        Redis
 *  consumer B ─┼──────> restore, pop, back up ──> K, K$inflight
 *  consumer C ─┘        then into the inboxes of A, B, C as the message names them
 *
 * All channels of the process share one queue, and the consumers take turns: who has the turn receives for all. When that
 * consumer is cancelled, its WebSocket closed, then the command under way is cancelled with it and its connection cut.
 * If that was the pop, Redis may have taken the message out of the queue already, and then the reply, the only copy, is read by nobody.
 * The recipients are other consumers, in any room, who never hear of it.
 *
 * Source: `receive`, `receive_single` and `_brpop_with_clean` in channels_redis/core.py 4.0.
 */
import { acknowledge, backUp, type Popped, pop, poppedOf, restore } from './commands.js';
import { Inboxes } from './inboxes.js';
import type { Message } from './layer.js';
import { isProcessChannel } from './names.js';
import { hostOf } from './placement.js';
import type { RedisPool } from './pool.js';
import { type Received, type Receiver, type ReceiverParts, readMember } from './receiver.js';
import { Turns } from './turns.js';

const TURN = Symbol('turn');

export class ChannelsRedisReceiver implements Receiver {
  readonly #inboxes: Inboxes;
  /** Who receives for the process. */
  readonly #turns = new Turns();
  /** By queue: nobody may restore what is acknowledged just now, so a receive begins after the acknowledgement before it. */
  readonly #queueTurns = new Map<string, Turns>();
  readonly #acknowledging = new Set<Promise<void>>();
  #nextHost = 0;

  constructor(private readonly parts: ReceiverParts) {
    this.#inboxes = new Inboxes(parts.settings);
  }

  async receive(channel: string, queueName: string, signal: AbortSignal): Promise<Message> {
    if (!isProcessChannel(channel)) return this.#receiveGeneral(queueName, signal);
    for (;;) {
      const message = this.#inboxes.take(channel) ?? (await this.#messageOrTurn(channel, signal));
      if (message !== TURN) return message;
      const own = await this.#receiveForAll(channel, queueName, signal);
      if (own !== null) return own;
    }
  }

  /** In its turn, a consumer receives one message for whomever it is. Its own, if it is for it too, is its own before any other's. */
  async #receiveForAll(channel: string, queueName: string, signal: AbortSignal): Promise<Message | null> {
    try {
      const { message, recipients } = await this.#receiveOne(queueName, signal);
      for (const recipient of recipients ?? [])
        if (recipient !== channel) this.#inboxes.deliver(recipient, message);
      return recipients === null || recipients.includes(channel) ? message : null;
    } catch (error) {
      this.#inboxes.drop(channel);
      throw error;
    } finally {
      this.#turns.pass();
    }
  }

  async settle(): Promise<void> {
    await Promise.all(this.#acknowledging);
  }

  async close(): Promise<void> {
    await this.settle();
  }

  async #receiveGeneral(queueName: string, signal: AbortSignal): Promise<Message> {
    return (await this.#receiveOne(queueName, signal)).message;
  }

  /** Whichever comes first for the channel: a message that another consumer has received for it, or the turn to receive. */
  #messageOrTurn(channel: string, signal: AbortSignal): Promise<Message | typeof TURN> {
    signal.throwIfAborted();
    if (this.#turns.take()) return Promise.resolve(TURN);
    return new Promise((resolve, reject) => {
      const end = (): void => {
        stopMessage();
        stopTurn();
        signal.removeEventListener('abort', abort);
      };
      const abort = (): void => {
        end();
        this.#inboxes.drop(channel);
        reject(signal.reason);
      };
      const stopMessage = this.#inboxes.wait(channel, (message) => {
        end();
        resolve(message);
      });
      const stopTurn = this.#turns.wait(() => {
        end();
        resolve(TURN);
      });
      signal.addEventListener('abort', abort, { once: true });
    });
  }

  /** The next message of a queue that can be read: popped, backed up, and acknowledged off to the side. */
  async #receiveOne(queueName: string, signal: AbortSignal): Promise<Received> {
    const { pools, settings } = this.parts;
    const queue = settings.prefix + queueName;
    const pool = pools[this.#hostFor(queueName)] as RedisPool;
    for (;;) {
      const turns = this.#queueTurnsOf(queue);
      await turns.acquire(signal);
      let popped: Popped | null = null;
      try {
        while (popped === null) {
          await pool.send(restore(queue), signal);
          popped = poppedOf(await pool.send(pop(queue), signal));
          // Until this has reached Redis the message is nowhere but here.
          if (popped !== null) await pool.send(backUp(queue, popped), signal);
        }
      } catch (error) {
        this.#passQueue(queue, turns);
        throw error;
      }
      this.#acknowledge(pool, queue, turns);
      const received = readMember(popped.member, queue, settings);
      if (received !== null) return received;
    }
  }

  /** The receiver does not wait for this. Where it fails the message is restored some day, and comes again: that is channels_redis' way too. */
  #acknowledge(pool: RedisPool, queue: string, turns: Turns): void {
    const acknowledging = pool
      .send(acknowledge(queue))
      .catch(() => null)
      .then(() => {
        this.#acknowledging.delete(acknowledging);
        this.#passQueue(queue, turns);
      });
    this.#acknowledging.add(acknowledging);
  }

  /** A process's queue is on the host of its name; a general channel is on all, one after the other. */
  #hostFor(queueName: string): number {
    const hosts = this.parts.pools.length;
    if (isProcessChannel(queueName)) return hostOf(queueName, hosts);
    const host = this.#nextHost;
    this.#nextHost = (host + 1) % hosts;
    return host;
  }

  #queueTurnsOf(queue: string): Turns {
    let turns = this.#queueTurns.get(queue);
    if (turns === undefined) {
      turns = new Turns();
      this.#queueTurns.set(queue, turns);
    }
    return turns;
  }

  #passQueue(queue: string, turns: Turns): void {
    turns.pass();
    if (turns.idle) this.#queueTurns.delete(queue);
  }
}
