/**
 * A process of channels_redis played over raw connections: consumers that share one queue, and the receive cycle
 *
 *   EVAL restore 0 K I   BZPOPMIN K   ZADD I score m   dispatch to the consumers   ZPOPMIN I
 *
 * as the core layer of channels_redis 3.x to 4.3 sends it. A scenario runs whole cycles of good health, and plays the steps of one
 * itself where a version of the Redis client does something else.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { addToGroup, enqueueAll, groupKey, membersOf } from '../server/layers/commands.js';
import { decodeMember, encodeMember, RANDOM_BYTES, recipientsOf } from '../server/layers/message.js';
import { parcelsFor } from '../server/layers/placement.js';
import { RESTORE } from '../server/layers/scripts.js';
import { type ChannelLayer, idOf } from './consumer.js';
import type { Stage } from './stage.js';
import type { Said, WireClient } from './wire-client.js';

export interface Popped {
  readonly member: Buffer;
  readonly score: Buffer;
}

export interface ScriptedOptions {
  /** What its channels begin with; one of its own where not told. Two processes with the same one share a queue. */
  readonly name?: string;
  /** How long a poll waits, in seconds. 5, as channels_redis has it. */
  readonly pollSeconds?: number;
}

export class ScriptedProcess {
  readonly name: string;
  readonly queue: string;
  readonly backup: string;
  readonly #pollSeconds: number;
  readonly #channels = new Set<string>();

  constructor(
    readonly stage: Stage,
    { name = `specific.${randomUUID().replaceAll('-', '')}!`, pollSeconds = 5 }: ScriptedOptions = {},
  ) {
    this.name = name;
    this.queue = `chat${name}`;
    this.backup = `${this.queue}$inflight`;
    this.#pollSeconds = pollSeconds;
  }

  /** One more consumer, in no group yet. */
  newChannel(): string {
    const channel = this.name + randomUUID().replaceAll('-', '');
    this.#channels.add(channel);
    return channel;
  }

  /** One more consumer, or that one, joins a group. The layer is any: it only says so to Redis. */
  async join(
    layer: Pick<ChannelLayer, 'groupAdd'>,
    group: string,
    channel = this.newChannel(),
  ): Promise<string> {
    await layer.groupAdd(group, channel);
    this.stage.truth.note({ event: 'joined', channel, group });
    return channel;
  }

  /** A layer that sends over one of the process's own connections, and joins there: all that a sender needs. */
  speaksOver(wire: Pick<WireClient, 'call'>): Pick<ChannelLayer, 'groupSend' | 'send' | 'groupAdd'> {
    return {
      groupAdd: async (group, channel) => {
        await wire.call(...addToGroup(groupKey('chat', group), channel, Date.now() / 1000));
      },
      groupSend: async (group, message) => {
        const members = (await wire.call(...membersOf(groupKey('chat', group)))) as readonly Buffer[];
        const parcels = parcelsFor(members.map(String), message, 1, () => 10_000).get(0) ?? [];
        const items = parcels.map((parcel) => ({
          queue: `chat${parcel.queueName}`,
          member: encodeMember(parcel.message, randomBytes(RANDOM_BYTES)),
          capacity: parcel.capacity,
        }));
        if (items.length > 0) await wire.call(...enqueueAll(items, Date.now() / 1000, 60));
      },
      send: () => Promise.reject(new Error('a scripted process sends to groups only')),
    };
  }

  async leave(layer: ChannelLayer, group: string, channel: string): Promise<void> {
    this.stage.truth.note({ event: 'leaving', channel, group });
    await layer.groupDiscard(group, channel);
    this.#channels.delete(channel);
    this.stage.truth.note({ event: 'left', channel, group });
  }

  /** Cycles of good health, one after the other on one connection, until `over` says so (asked before each). */
  async receiveUntil(wire: WireClient, over: () => boolean): Promise<void> {
    while (!over()) await this.receive(wire);
  }

  /** One cycle of good health: waits for a message as long as it takes. */
  async receive(wire: WireClient): Promise<void> {
    const popped = await this.pop(wire);
    await this.finish(wire, popped);
  }

  /** Restores, and polls until a message comes. */
  async pop(wire: WireClient): Promise<Popped> {
    for (;;) {
      await this.restore(wire);
      const popped = poppedOf(await this.poll(wire));
      if (popped) return popped;
    }
  }

  poll(wire: WireClient): Promise<Said> {
    return wire.call('BZPOPMIN', this.queue, this.#pollSeconds);
  }

  restore(wire: WireClient): Promise<Said> {
    return wire.call('EVAL', RESTORE, 0, this.queue, this.backup);
  }

  /** The rest of a cycle: backs up, dispatches, acknowledges. */
  async finish(wire: WireClient, popped: Popped): Promise<void> {
    await this.backUp(wire, popped);
    this.dispatch(popped);
    await this.acknowledge(wire);
  }

  backUp(wire: WireClient, { member, score }: Popped): Promise<Said> {
    return wire.call('ZADD', this.backup, score, member);
  }

  acknowledge(wire: WireClient): Promise<Said> {
    return wire.call('ZPOPMIN', this.backup);
  }

  /** Hands the message to the consumers that it is for and that are still here. */
  dispatch({ member }: Popped): void {
    const { message, recipients } = read(member);
    for (const channel of this.#here(recipients))
      this.stage.truth.note({ event: 'processed', message, channel });
  }

  /** The messages that wait in its queue, by a connection of its own past the proxy. */
  async waiting(): Promise<Set<string>> {
    const members = (await this.stage.direct().zrangeBuffer(this.queue, '0', '-1')) as Buffer[];
    return new Set(members.map((member) => read(member).message));
  }

  /** Is this popped message in its queue again? */
  async holds({ member }: Popped): Promise<boolean> {
    return (await this.stage.direct().zscore(this.queue, member)) !== null;
  }

  /** Notes that these messages will not come to anybody here, and why. */
  blameAll(messages: Iterable<string>, cause: string): void {
    for (const message of messages)
      for (const channel of this.#channels)
        this.stage.truth.note({ event: 'blamed', message, channel, cause });
  }

  /** Notes that this popped message goes no further, and why. */
  blame({ member }: Popped, cause: string): void {
    const { message, recipients } = read(member);
    for (const channel of this.#here(recipients))
      this.stage.truth.note({ event: 'blamed', message, channel, cause });
  }

  /** Those of the recipients who are consumers of this process. A message for a general channel names none: it is for whoever reads it. */
  #here(recipients: readonly string[] | null): readonly string[] {
    return recipients?.filter((channel) => this.#channels.has(channel)) ?? [this.name];
  }
}

/** What a reply to BZPOPMIN has brought; null for any other reply. */
export function poppedOf(reply: Said): Popped | null {
  if (!Array.isArray(reply)) return null;
  const [, member, score] = reply as readonly Said[];
  return Buffer.isBuffer(member) && Buffer.isBuffer(score) ? { member, score } : null;
}

function read(member: Buffer): { readonly message: string; readonly recipients: readonly string[] | null } {
  const decoded = decodeMember(member);
  if (!decoded.ok) throw new Error(`a scenario sent what is no message: ${decoded.reason}`);
  return { message: idOf(decoded.message), recipients: recipientsOf(decoded.message) };
}
