/**
 * What holes may hide of a subscriber: that there was one. Somebody who subscribed inside a hole and was cut off afterwards, or who
 * came back inside one, lost messages that seem to have reached everybody. So near the end of such a connection nobody is called
 * served, and no room empty.
 */
import type { TraceConnection, TraceHole } from '../../proxy/trace/trace.js';
import { append } from '../append.js';
import { FirstFitting } from '../first-fitting.js';
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
  const holesOf = new HidingHoles(hiding);
  return [...connections.values()].flatMap(({ id, openedUs, closedUs }): Veil[] => {
    if (closedUs === null) return [];
    const own = holesOf.during(id, openedUs, closedUs);
    if (own) return [{ closedUs, hole: own, channels: null }];
    const channels = orphans.get(id);
    const later = channels && holesOf.after(closedUs);
    return later ? [{ closedUs, hole: later, channels }] : [];
  });
}

/** The first of many holes, found without going through all of them for each connection. */
class HidingHoles {
  readonly #all: FirstFitting<Numbered>;
  readonly #ofEverything: FirstFitting<Numbered>;
  readonly #ofOne = new Map<number, Numbered[]>();

  constructor(holes: readonly TraceHole[]) {
    const numbered = holes.map((hole, at) => ({ hole, at }));
    const spanOf = ({ hole }: Numbered) => [-hole.fromUs, untilUs(hole)];
    this.#all = new FirstFitting(numbered, spanOf);
    this.#ofEverything = new FirstFitting(
      numbered.filter(({ hole }) => hole.connection === null),
      spanOf,
    );
    for (const one of numbered)
      if (one.hole.connection !== null) append(this.#ofOne, one.hole.connection, one);
  }

  /** One that may hide what a connection said. */
  during(connection: number, openedUs: number, closedUs: number): TraceHole | undefined {
    const shared = this.#ofEverything.first((from = 0, until = 0) => -from <= closedUs && until >= openedUs);
    const own = this.#ofOne
      .get(connection)
      ?.find(({ hole }) => hole.fromUs <= closedUs && untilUs(hole) >= openedUs);
    if (!shared || !own) return (shared ?? own)?.hole;
    return (shared.at < own.at ? shared : own).hole;
  }

  /** One that lasts until a moment, or comes after it. */
  after(us: number): TraceHole | undefined {
    return this.#all.first((_from, until = 0) => until >= us)?.hole;
  }
}

interface Numbered {
  readonly hole: TraceHole;
  readonly at: number;
}

function untilUs({ toUs }: TraceHole): number {
  return toUs ?? Number.POSITIVE_INFINITY;
}

const BY_CLOSE = new WeakMap<readonly Veil[], FirstFitting<Veil>>();

function byClose(veils: readonly Veil[]): FirstFitting<Veil> {
  let known = BY_CLOSE.get(veils);
  if (!known) {
    known = new FirstFitting(veils, ({ closedUs }) => [closedUs, -closedUs]);
    BY_CLOSE.set(veils, known);
  }
  return known;
}

/** The hole that may hide a subscriber who missed it. */
export function veilOver({ channel, mark }: Publication, veils: readonly Veil[]): TraceHole | null {
  const [fromUs, byUs] = [mark.requestedUs - LIKELY_WITHIN_US, mark.repliedUs ?? Number.POSITIVE_INFINITY];
  for (const { channels, hole } of byClose(veils).all(
    (closed = 0, less = 0) => closed >= fromUs && -less <= byUs,
  ))
    if (channels === null || channels.includes(channel)) return hole;
  return null;
}
