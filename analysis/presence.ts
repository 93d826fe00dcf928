/**
 * Who was in a group, and when: what joins, leaves and roll calls show of each channel. A consumer joins and leaves for as long as a
 * trace lasts and is asked about for each of its messages, so what is known of it is worked out once.
 */
import type { Journeys, Membership } from './journey.js';
import { countWhile } from './moment.js';

/** What is known of one channel. */
interface Known {
  readonly changes: readonly Membership[];
  /** By each change, the latest request and the latest reply up to it. */
  readonly requestedUs: readonly number[];
  readonly repliedUs: readonly number[];
  /** In how many groups it was before the first change, after it, and so on. */
  readonly groupsAfter: readonly number[];
  /** Those in which some ZRANGE showed it. */
  readonly seenIn: ReadonlySet<string>;
  /** And those that it joined or left. */
  readonly everIn: ReadonlySet<string>;
}

export class Presence {
  readonly #journeys: Pick<Journeys, 'memberships' | 'seenIn'>;
  readonly #known = new Map<string, Known>();

  constructor(journeys: Pick<Journeys, 'memberships' | 'seenIn'>) {
    this.#journeys = journeys;
  }

  /**
   * Had this channel left every group that it is known to have been in? A channel in no known group has not left. `sinceUs`: it
   * was a member then, whatever came before.
   */
  hasLeft(channel: string, atUs: number, sinceUs: number): boolean {
    const known = this.#of(channel);
    const until = countWhile(known.requestedUs, (us) => us <= atUs);
    if (sinceUs === 0) return known.seenIn.size + until > 0 && known.groupsAfter[until] === 0;
    const from = countWhile(known.repliedUs, (us) => us < sinceUs);
    return this.#hasLeftWithin(known, known.changes.slice(from, until), atUs, sinceUs);
  }

  #hasLeftWithin({ seenIn }: Known, changes: readonly Membership[], atUs: number, sinceUs: number): boolean {
    const since = changes.filter(({ mark }) => (mark.repliedUs ?? atUs) >= sinceUs);
    const changed = new Map(since.map(({ group, joined }) => [group, joined]));
    let groups = seenIn.size;
    for (const [group, joined] of changed) groups += Number(joined) - Number(seenIn.has(group));
    return seenIn.size + changed.size > 0 && groups === 0;
  }

  /** When it last joined or left, up to a moment; 0 where it is not known to have. */
  lastSeenUs(channel: string, atUs: number): number {
    const { changes, requestedUs } = this.#of(channel);
    return changes[countWhile(requestedUs, (us) => us <= atUs) - 1]?.atUs ?? 0;
  }

  /** The group by whose membership the recipients were chosen: the one that all of them were seen in. */
  groupOf(recipients: readonly string[]): string | null {
    const [least, ...others] = recipients
      .map((channel) => this.#of(channel).everIn)
      .sort((a, b) => a.size - b.size);
    let shared: string | null = null;
    for (const group of least ?? []) {
      if (!others.every((groups) => groups.has(group))) continue;
      if (shared !== null) return null;
      shared = group;
    }
    return shared;
  }

  #of(channel: string): Known {
    let known = this.#known.get(channel);
    if (!known) {
      const { memberships, seenIn } = this.#journeys;
      known = knownOf(memberships.get(channel) ?? [], seenIn.get(channel) ?? new Set());
      this.#known.set(channel, known);
    }
    return known;
  }
}

function knownOf(changes: readonly Membership[], seenIn: ReadonlySet<string>): Known {
  const groups = new Set(seenIn);
  const everIn = new Set(seenIn);
  const groupsAfter = [groups.size];
  const requestedUs: number[] = [];
  const repliedUs: number[] = [];
  for (const { group, joined, atUs, mark } of changes) {
    everIn.add(group);
    if (joined) groups.add(group);
    else groups.delete(group);
    groupsAfter.push(groups.size);
    requestedUs.push(Math.max(atUs, requestedUs.at(-1) ?? atUs));
    repliedUs.push(Math.max(mark.repliedUs ?? Number.POSITIVE_INFINITY, repliedUs.at(-1) ?? 0));
  }
  return { changes, requestedUs, repliedUs, groupsAfter, seenIn, everIn };
}
