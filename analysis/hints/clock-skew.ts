/**
 * The clocks of two senders differ. A message's place in its queue is its sender's clock, and `ZREMRANGEBYSCORE` with the clock of the
 * next sender removes what is older than the expiry: with clocks apart, messages overtake each other, and beyond the
 * expiry one sender's send removes what another one's has just put there.
 *
 * A message is scored before it is sent, so of all its messages the one with the latest score for its time is nearest to a sender's clock.
 * Innocent: all senders off by the same; only the recorder's clock differs then.
 */
import { operationOf } from '../finding.js';
import type { Clock } from './clocks.js';
import type { HintKind, HintMaterial } from './hint.js';

/** Sends wait for a connection, and processes stall: less than this is no difference of clocks. */
const APART_S = 1;

function look({ clocks }: HintMaterial) {
  const groups = apart([...clocks()]);
  if (groups.length < 2) return [];
  return [
    {
      seen: `The senders' clocks differ: ${groups.map(groupText).join('; ')}.`,
      operations: groups.flatMap(([first]) => (first ? [operationOf('enqueue', first.enqueue)] : [])),
    },
  ];
}

/** Clocks in order, those less than a second from the one before in one group. */
function apart(clocks: Clock[]): Clock[][] {
  const groups: Clock[][] = [];
  for (const clock of clocks.sort((a, b) => a.aheadS - b.aheadS)) {
    const last = groups.at(-1);
    const before = last?.at(-1);
    if (last && before && clock.aheadS - before.aheadS < APART_S) last.push(clock);
    else groups.push([clock]);
  }
  return groups;
}

function groupText(group: readonly Clock[]): string {
  const [first] = group as [Clock];
  const connections = group.map(({ enqueue }) => enqueue.connection).sort((a, b) => a - b);
  const shown = connections.slice(0, 5).join(', ') + (connections.length > 5 ? ', …' : '');
  const by = Math.abs(first.aheadS).toFixed(1);
  return `${connections.length === 1 ? 'connection' : 'connections'} ${shown} ${by} s ${first.aheadS < 0 ? 'behind' : 'ahead of'} the recorder's (operation ${first.enqueue.id})`;
}

export const clockSkew: HintKind = {
  id: 'clock-skew',
  advice:
    'Let all hosts that send keep their clocks by NTP. Messages of the slower clock are popped first and expire early; apart by more than `expiry`, they are removed before anybody reads them.',
  look,
};
