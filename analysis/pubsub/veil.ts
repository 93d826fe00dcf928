/**
 * What holes may hide of a subscriber: that there was one. Somebody who subscribed inside a hole and was cut off afterwards, or who
 * came back inside one, lost messages that seem to have reached everybody. So near the end of such a connection nobody is called
 * served, and no room empty.
 */
import type { TraceConnection, TraceHole } from '../../proxy/trace/trace.js';
import { append } from '../append.js';
import type { Publication, PubSubFacts, Subscription } from './facts.js';
import { LIKELY_WITHIN_US, type Successor } from './succession.js';

/** The end of a connection that may have left a subscriber behind. */
export interface Veil {
  readonly closedUs: number;
  readonly hole: TraceHole;
  /** What it is known to have held; null: it may have held anything. */
  readonly channels: readonly string[] | null;
}

/** Does a hole hide requests? What was blanked or cut leaves the request there; what broke off, Redis did not take. */
function hidesRequests({ reason, direction }: TraceHole): boolean {
  return direction !== 'redis' && reason !== 'redacted' && reason !== 'cut' && reason !== 'unfinished';
}

export function veilsOf(
  facts: PubSubFacts,
  successors: ReadonlyMap<Subscription, Successor>,
  {
    connections,
    holes,
  }: { readonly connections: ReadonlyMap<number, TraceConnection>; readonly holes: readonly TraceHole[] },
): Veil[] {
  const hiding = holes.filter(hidesRequests);
  if (hiding.length === 0) return [];
  const orphans = new Map<number, string[]>();
  for (const listeners of facts.listeners.values())
    for (const { subscriptions } of listeners)
      for (const subscription of subscriptions)
        if (subscription.left === null && !successors.has(subscription))
          append(orphans, subscription.connection, subscription.channel);
  return [...connections.values()].flatMap(({ id, openedUs, closedUs }): Veil[] => {
    if (closedUs === null) return [];
    const until = (hole: TraceHole): number => hole.toUs ?? Number.POSITIVE_INFINITY;
    const own = hiding.find(
      (hole) =>
        (hole.connection === null || hole.connection === id) &&
        hole.fromUs <= closedUs &&
        until(hole) >= openedUs,
    );
    if (own) return [{ closedUs, hole: own, channels: null }];
    const later = hiding.find((hole) => until(hole) >= closedUs);
    const channels = orphans.get(id);
    return later && channels ? [{ closedUs, hole: later, channels }] : [];
  });
}

/** The hole that may hide a subscriber who missed it. */
export function veilOver({ channel, mark }: Publication, veils: readonly Veil[]): TraceHole | null {
  const veil = veils.find(
    ({ closedUs, channels }) =>
      closedUs >= mark.requestedUs - LIKELY_WITHIN_US &&
      closedUs <= (mark.repliedUs ?? Number.POSITIVE_INFINITY) &&
      (channels === null || channels.includes(channel)),
  );
  return veil?.hole ?? null;
}
