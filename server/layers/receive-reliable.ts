/**
 * Receives without losing anything to a consumer that leaves: the cure.
 *
 *  K, K$inflight ──> one loop for the queue: pop, back up, hand on, acknowledge ──> inboxes of A, B, C
 *
 * The difference from channels_redis is who receives. Here that is a loop of the process (queue-loop.ts), on a connection of its
 * own, which no consumer owns. A consumer waits at its inbox; when it is cancelled, nothing is under way that could be lost with it.
 * The commands are the same ones in the same order. `restore` is needed only when the loop begins, and when its connection has broken.
 *
 * What remains: a pop whose reply is on its way when the connection itself breaks, or the process dies, is lost, for Redis 7
 * has no blocking pop that backs up too; and a consumer that does not read loses its oldest messages once its inbox is full.
 *
 * A general channel is read by several processes. Its loops pop only while a consumer waits, and what they popped for one that has left
 * meanwhile goes back. A process that begins to read restores what another has just popped, so one message
 * may come twice then (channels_redis#163).
 */
import { Inboxes } from './inboxes.js';
import type { Message } from './layer.js';
import { isProcessChannel } from './names.js';
import { hostOf } from './placement.js';
import { QueueLoop } from './queue-loop.js';
import { type Receiver, type ReceiverParts, readMember } from './receiver.js';

export class ReliableReceiver implements Receiver {
  readonly #inboxes: Inboxes;
  readonly #loops = new Map<string, readonly QueueLoop[]>();

  constructor(private readonly parts: ReceiverParts) {
    this.#inboxes = new Inboxes(parts.settings);
  }

  async receive(channel: string, queueName: string, signal: AbortSignal): Promise<Message> {
    signal.throwIfAborted();
    const message = this.#inboxes.next(channel, signal);
    for (const loop of this.#loopsOf(queueName)) loop.wake();
    return message;
  }

  async settle(): Promise<void> {}

  async close(): Promise<void> {
    await Promise.all([...this.#loops.values()].flat().map((loop) => loop.stop()));
  }

  /** The loops that read a queue, begun with the first receive from it: one, or for a general channel one on each host. */
  #loopsOf(queueName: string): readonly QueueLoop[] {
    let loops = this.#loops.get(queueName);
    if (loops === undefined) {
      const { pools, settings } = this.parts;
      const shared = !isProcessChannel(queueName);
      const own = hostOf(queueName, pools.length);
      const queue = settings.prefix + queueName;
      loops = pools
        .filter((_, host) => shared || host === own)
        .map(
          (pool) =>
            new QueueLoop({
              pool,
              queue,
              shared,
              settings,
              wanted: () => this.#inboxes.isAwaited(queueName),
              handOn: (member) => this.#handOn(member, queue, queueName),
            }),
        );
      this.#loops.set(queueName, loops);
    }
    return loops;
  }

  #handOn(member: Uint8Array, queue: string, queueName: string): void {
    const received = readMember(member, queue, this.parts.settings);
    if (received === null) return;
    for (const recipient of received.recipients ?? [queueName])
      this.#inboxes.deliver(recipient, received.message);
  }
}
