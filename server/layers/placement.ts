/**
 * Which Redis host holds a name, and what a message to a group is on the wire: one member for each queue.
 *
 * All processes must agree about the host, Python's too, so the hash is theirs: CRC-32 of the name, its low 12 bits,
 * spread evenly over the hosts. A group lives on the host of its name, a queue on the host of its own.
 *
 * Source: `_consistent_hash` in channels_redis/utils.py and `_map_channel_keys_to_connection` in core.py, 4.0.
 */
import { crc32 } from 'node:zlib';
import { type Message, RECIPIENTS_KEY } from './message.js';
import { queueNameOf } from './names.js';

const POINTS = 4096;

/** Index of the host that holds the name, of `hosts` many. */
export function hostOf(name: string, hosts: number): number {
  if (hosts === 1) return 0;
  return Math.floor((crc32(name) & (POINTS - 1)) / (POINTS / hosts));
}

/** One message for one queue. */
export interface Parcel {
  /** The queue's name without the layer's prefix. */
  readonly queueName: string;
  /** The message, and in it the channels that it is for. */
  readonly message: Message;
  /** Capacity of the queue: that of the first of its channels. */
  readonly capacity: number;
}

/** What a message to these channels is on each host: the host's index -> its parcels, both in the order of the channels. */
export function parcelsFor(
  channels: readonly string[],
  message: Message,
  hosts: number,
  capacityOf: (channel: string) => number,
): ReadonlyMap<number, readonly Parcel[]> {
  const recipients = new Map<string, string[]>();
  const parcels = new Map<number, Parcel[]>();
  for (const channel of channels) {
    const queueName = queueNameOf(channel);
    const others = recipients.get(queueName);
    if (others !== undefined) {
      others.push(channel);
      continue;
    }
    const own = [channel];
    recipients.set(queueName, own);
    const host = hostOf(queueName, hosts);
    const parcel = {
      queueName,
      message: { ...message, [RECIPIENTS_KEY]: own },
      capacity: capacityOf(channel),
    };
    const placed = parcels.get(host);
    if (placed === undefined) parcels.set(host, [parcel]);
    else placed.push(parcel);
  }
  return parcels;
}
