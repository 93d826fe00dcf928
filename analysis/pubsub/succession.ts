/**
 * Which connection took over from one that ended. A process that loses its subscribing connection opens another and subscribes there,
 * in one command, to all that it held. The channel of a consumer belongs to one process: where it is asked for again, that process is.
 * So a group's name alone proves nothing (another process may have joined), a consumer's channel beside it does.
 */
import type { TraceConnection } from '../../proxy/trace/trace.js';
import { append } from '../append.js';
import { countWhile } from '../moment.js';
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
    const allOf = (one: Subscription): readonly Subscription[] => all.get(one.channel) ?? [];
    const own = held.filter(({ channel }) => isConsumerChannel(channel));
    const [first] = own
      .flatMap((one) => afterOn(one, allOf(one)).next().value ?? [])
      .sort((a, b) => a.asked.id - b.asked.id);
    for (const subscription of held) {
      const successor =
        own.length === 0
          ? likelySuccessor(afterOn(subscription, allOf(subscription), closedUs), closedUs)
          : first && broughtBackWith(first, subscription, allOf(subscription));
      if (successor) found.set(subscription, successor);
    }
  }
  return found;
}

/** Later subscriptions to the same channel on other connections, at `sinceUs` or after, in order: each looked at when it is asked for. */
function* afterOn(
  one: Subscription,
  all: readonly Subscription[],
  sinceUs = 0,
): Generator<Subscription, undefined> {
  const begun = one.asked.requestedUs;
  const first = countWhile(all, ({ asked }) => asked.requestedUs <= begun || asked.requestedUs < sinceUs);
  for (let at = first; at < all.length; at++) {
    const other = all[at] as Subscription;
    if (other.connection !== one.connection) yield other;
  }
}

/** Without a consumer's channel on the connection that ended. */
function likelySuccessor(after: Iterable<Subscription>, closedUs: number): Successor | null {
  for (const subscription of after) {
    const { asked, together } = subscription;
    if (asked.requestedUs > closedUs + LIKELY_WITHIN_US) break;
    if (!together.some(isConsumerChannel))
      return { subscription, doubt: 'no channel of a consumer shows whose connection this is' };
  }
  return null;
}

/** Subscribed to by the request that brought the first of the consumers back. */
function broughtBackWith(
  { asked: { id } }: Subscription,
  one: Subscription,
  all: readonly Subscription[],
): Successor | null {
  const next = all[countWhile(all, ({ asked }) => asked.id < id)];
  const isIt =
    next?.asked.id === id &&
    next.connection !== one.connection &&
    next.asked.requestedUs > one.asked.requestedUs;
  return isIt ? { subscription: next, doubt: undone(next) } : null;
}

function undone({ asked, left }: Subscription): string | null {
  return left !== null && left.requestedUs - (asked.repliedUs ?? asked.requestedUs) < UNDONE_WITHIN_US
    ? `operation ${left.id} gave it up again at once: its last consumer may have been leaving`
    : null;
}
