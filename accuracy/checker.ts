/**
 * An independent checker, by the definitions of Jepsen's total-queue: of everything that was put in and taken out, what is lost, duplicated,
 * unexpected or recovered. It reads the truth log alone, knows nothing of Redis, and shares no code with analysis/.
 *
 *   lost        put in, acknowledged, and never processed by a recipient that was there from before until the end, though that one went on
 *   duplicated  processed more than once by one recipient (a channel: one consumer, or all workers of a general channel)
 *   unexpected  processed, and nobody had put it in
 *   recovered   the put failed or was never answered, and it was processed all the same
 */
import type { TruthEvent } from './truth.js';

export interface Checked {
  /** `message for channel`. */
  readonly lost: ReadonlySet<string>;
  readonly duplicated: ReadonlySet<string>;
  readonly unexpected: ReadonlySet<string>;
  readonly recovered: ReadonlySet<string>;
  /** All that it can say lost or not lost of: put in, acknowledged, and the recipient was there and went on. */
  readonly settled: ReadonlySet<string>;
}

export function check(events: readonly TruthEvent[]): Checked {
  const puts = new Map<string, { from: number; to: string; until: number; failed: boolean }>();
  const stays = new Map<string, { group: string; from: number }>();
  const takes = new Map<string, number>();
  const lastTaken = new Map<string, number>();
  for (const event of events) {
    if (event.event === 'sending')
      puts.set(event.message, { from: event.atUs, to: event.to, until: Infinity, failed: true });
    if (event.event === 'sent') {
      const put = puts.get(event.message);
      if (put) Object.assign(put, { until: event.atUs, failed: event.error !== undefined });
    }
    if (event.event === 'joined') stays.set(event.channel, { group: event.group, from: event.atUs });
    if (event.event === 'leaving') stays.delete(event.channel);
    if (event.event === 'processed') {
      const key = `${event.message} for ${event.channel}`;
      takes.set(key, (takes.get(key) ?? 0) + 1);
      const from = puts.get(event.message)?.from ?? -1;
      lastTaken.set(event.channel, Math.max(from, lastTaken.get(event.channel) ?? -1));
    }
  }
  const settled = new Set<string>();
  for (const [message, put] of puts)
    for (const [channel, taken] of lastTaken) {
      const stay = stays.get(channel);
      const owed = channel === put.to || (stay?.group === put.to && stay.from < put.from);
      if (owed && !put.failed && taken > put.until) settled.add(`${message} for ${channel}`);
    }
  const keys = [...takes.keys()];
  const messageOf = (key: string) => key.slice(0, key.indexOf(' for '));
  return {
    settled,
    lost: new Set([...settled].filter((key) => !takes.has(key))),
    duplicated: new Set(keys.filter((key) => (takes.get(key) ?? 0) > 1)),
    unexpected: new Set(keys.filter((key) => !puts.has(messageOf(key)))),
    recovered: new Set(keys.filter((key) => puts.get(messageOf(key))?.failed)),
  };
}
