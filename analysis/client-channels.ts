/**
 * Which channels are a client's. A client knows its name and the sender that it speaks as; a channel is known to the layer only. What ties
 * them is a message of the client's own in the trace: its payload names the sender, and the channel of the consumer that sent it.
 *
 * Nothing is guessed: where a client's own messages are not known, or a message that it did receive was for none of these channels (so it
 * has another one), its channels are not known, and the answer says so.
 */
import type { GapReport } from '../clients/gap-report.js';
import type { Journey } from './journey.js';

export type Known =
  | { readonly known: true; readonly channels: readonly string[] }
  | { readonly known: false; readonly why: string };

export class ClientChannels {
  readonly #spokeAs: ReadonlyMap<string, ReadonlySet<string>>;
  /** Sender -> channel -> when it first spoke there, microseconds. */
  readonly #channels = new Map<string, Map<string, number>>();
  /** Channel -> when anybody first spoke there. */
  readonly #firstSpoke = new Map<string, number>();
  /** Sender and count -> recipients. */
  readonly #recipients = new Map<string, Set<string>>();

  constructor(spokeAs: ReadonlyMap<string, ReadonlySet<string>>, journeys: readonly Journey[]) {
    this.#spokeAs = spokeAs;
    for (const journey of journeys) this.#add(journey);
  }

  #add({ payload: { sender, count, channel, recipients }, enqueues }: Journey): void {
    if (sender === null) return;
    const spoke = this.#channels.get(sender) ?? new Map<string, number>();
    this.#channels.set(sender, spoke);
    const atUs = enqueues[0]?.requestedUs;
    if (channel !== null && atUs !== undefined) {
      spoke.set(channel, Math.min(atUs, spoke.get(channel) ?? atUs));
      this.#firstSpoke.set(channel, Math.min(atUs, this.#firstSpoke.get(channel) ?? atUs));
    }
    const key = JSON.stringify([sender, count]);
    const known = this.#recipients.get(key) ?? new Set<string>();
    this.#recipients.set(key, known);
    for (const recipient of recipients ?? []) known.add(recipient);
  }

  /** The channels of the client that reports a gap. */
  of({ client, sender, received }: GapReport): Known {
    const senders = this.#spokeAs.get(client) ?? (this.#channels.has(client) ? [client] : []);
    const channels: string[] = [];
    for (const own of senders) {
      const spoke = this.#channels.get(own);
      if (!spoke || spoke.size === 0)
        return unknown(`no message of sender ${own}, as which it spoke, names a channel in the trace`);
      channels.push(...spoke.keys());
    }
    if (channels.length === 0) return unknown('nothing says as which sender it spoke');
    const got = this.#recipients.get(JSON.stringify([sender, received]));
    if (!channels.some((channel) => got?.has(channel)))
      return unknown(
        `count ${received}, which it did receive, was not for the channel by which it spoke, as far as the trace shows`,
      );
    return { known: true, channels };
  }

  /** Had the consumer of a channel said something before a moment? */
  spokeBefore(channel: string, atUs: number): boolean {
    return (this.#firstSpoke.get(channel) ?? Number.POSITIVE_INFINITY) < atUs;
  }
}

function unknown(why: string): Known {
  return { known: false, why };
}
