/** A moment of losses in the shape of `audit --json`. */
import type { Departure } from '../departures.js';
import type { Evidence } from '../evidence.js';
import { type Fate, fateOf } from './fate.js';
import { type Moment, recipientsHit, roomOf } from './moments.js';
import { countedBy } from './totals.js';

export interface Cluster {
  readonly from_us: number;
  readonly to_us: number;
  readonly process: string | null;
  readonly queues: readonly string[];
  readonly causes: Readonly<Record<string, number>>;
  /** Groups that the lost messages were for. */
  readonly rooms: readonly string[];
  /** Channels that were still there and missed something. */
  readonly recipients: readonly string[];
  /** Who left just before, the last one first: one of them may have set it off. Times are before the first loss. */
  readonly departures: readonly {
    readonly channel: string;
    readonly group: string;
    readonly operation: number;
    /** Of several traces: the one that has this operation, under this id. */
    readonly trace?: string;
    readonly before_us: number;
    readonly lost_something: boolean;
  }[];
  readonly losses: readonly (Fate & {
    readonly room: string | null;
    readonly recipients_hit: readonly string[];
  })[];
}

export function clusterOf(moment: Moment, evidence: Evidence): Cluster {
  const { process, fromUs, toUs, losses, rooms, recipients, departures } = moment;
  return {
    from_us: fromUs,
    to_us: toUs,
    process,
    queues: [...new Set(losses.map(({ queue }) => queue))],
    causes: countedBy(losses, ({ cause }) => cause),
    rooms,
    recipients,
    departures: departures.map(({ channel, group, mark }: Departure) => ({
      ...{ channel, group, operation: mark.id },
      before_us: fromUs - mark.requestedUs,
      lost_something: recipients.includes(channel),
    })),
    losses: losses.map((loss) => ({
      ...fateOf(loss, evidence),
      room: roomOf(loss, evidence),
      recipients_hit: recipientsHit(loss),
    })),
  };
}
