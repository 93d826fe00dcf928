/**
 * Which connection took over from one that ended. A process that loses its subscribing connection opens another and subscribes there,
 * in one command, to all that it held. The channel of a consumer belongs to one process: where it is asked for again, that process is.
 * So a group's name alone proves nothing (another process may have joined), a consumer's channel beside it does.
 */
import type { TraceConnection } from '../../proxy/trace/trace.js';
import { append } from '../append.js';
import { isConsumerChannel } from '../profiles/pubsub.js';
import type { PubSubFacts, Subscription } from './facts.js';

/** The same channel of the same process, on its next connection. */
export interface Successor {
  readonly subscription: Subscription;
  /** Why it may be another process after all, or a process that no longer wanted the channel; null: certain. */
  readonly doubt: string | null;
}

/** Without a consumer's channel to go by, a subscription this soon after the end may be the same process. */
export const LIKELY_WITHIN_US = 5_000_000;
/** A channel given up again this soon was being left when the connection came back: the leaving brings it back. */
const UNDONE_WITHIN_US = 100_000;

/** For each subscription that ended with its connection, the one that took over. */
export function successorsOf(
  facts: PubSubFacts,
  connections: ReadonlyMap<number, TraceConnection>,
): ReadonlyMap<Subscription, Successor> {
  const found = new Map<Subscription, Successor>();
  const all = new Map<string, Subscription[]>();
  const cutOff = new Map<number, Subscription[]>();
  for (const [channel, listeners] of facts.listeners) {
    const subscriptions = listeners.flatMap((listener) => listener.subscriptions);
    all.set(
      channel,
      subscriptions.sort((a, b) => a.asked.id - b.asked.id),
    );
    for (const subscription of subscriptions) {
      const closedUs = connections.get(subscription.connection)?.closedUs ?? null;
      if (subscription.left !== null || closedUs === null) continue;
      append(cutOff, subscription.connection, subscription);
    }
  }
  for (const [connection, held] of cutOff) {
    const closedUs = connections.get(connection)?.closedUs ?? 0;
    for (const subscription of held) {
      const successor = successorOf(subscription, held, all, closedUs);
      if (successor) found.set(subscription, successor);
    }
  }
  return found;
}

function successorOf(
  subscription: Subscription,
  held: readonly Subscription[],
  all: ReadonlyMap<string, readonly Subscription[]>,
  closedUs: number,
): Successor | null {
  const after = (one: Subscription): readonly Subscription[] =>
    (all.get(one.channel) ?? []).filter(
      (other) => other.connection !== one.connection && other.asked.requestedUs > one.asked.requestedUs,
    );
  const own = held.filter(({ channel }) => isConsumerChannel(channel));
  if (own.length === 0) {
    const likely = after(subscription).find(
      ({ asked, together }) =>
        asked.requestedUs >= closedUs &&
        asked.requestedUs <= closedUs + LIKELY_WITHIN_US &&
        !together.some(isConsumerChannel),
    );
    const doubt = 'no channel of a consumer shows whose connection this is';
    return likely ? { subscription: likely, doubt } : null;
  }
  const [first] = own.flatMap((one) => after(one).slice(0, 1)).sort((a, b) => a.asked.id - b.asked.id);
  const next = after(subscription).find(({ asked }) => asked.id === first?.asked.id);
  return next ? { subscription: next, doubt: undone(next) } : null;
}

function undone({ asked, left }: Subscription): string | null {
  return left !== null && left.requestedUs - (asked.repliedUs ?? asked.requestedUs) < UNDONE_WITHIN_US
    ? `operation ${left.id} gave it up again at once: its last consumer may have been leaving`
    : null;
}
