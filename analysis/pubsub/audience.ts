/**
 * Who should have heard each message, and what came there. Redis carries out one command at a time, and writes a connection's messages in
 * that order: so what came on a connection is what was published on its channels while it was subscribed, in order, until the stream
 * stops. Equal messages are told apart by that order; where it does not decide, the hearing is `unsure`.
 *
 * A subscription covers a PUBLISH for certain where it was confirmed before the PUBLISH was asked for, and neither given up nor closed before the
 * PUBLISH was answered. Where the two overlap, either may have come first.
 */
import type { TraceConnection } from '../../proxy/trace/trace.js';
import { append } from '../append.js';
import type { Heard, Listener, Publication, PubSubFacts, Subscription } from './facts.js';
import { LIKELY_WITHIN_US, type Successor, successorsOf } from './succession.js';

/** `between`: its connection had ended, and the next one was not subscribed yet. */
export type Standing = 'certain' | 'starting' | 'leaving' | 'closing' | 'between';

export interface Hearing {
  readonly publication: Publication;
  readonly subscription: Subscription;
  readonly standing: Standing;
  /** Null: nothing came. */
  push: Heard | null;
  /** Equal messages came, fewer than were published: whether this one did is not known. */
  unsure: boolean;
}

/** What is known of a connection's stream of messages. */
export interface Stream {
  /** Whatever was asked for or published before this moment, and answered, had been written to it before something that came. */
  readonly passedUs: number;
  /** The last message that came, and how late: read, or handed to the client. */
  readonly last: Heard | null;
  readonly lagUs: number;
}

export interface Audience {
  /** Those of each publication that has any. */
  readonly hearings: ReadonlyMap<Publication, readonly Hearing[]>;
  readonly successors: ReadonlyMap<Subscription, Successor>;
  /** Those that are a successor. */
  readonly returned: ReadonlySet<Subscription>;
  readonly streams: ReadonlyMap<number, Stream>;
}

interface Ground {
  readonly connections: ReadonlyMap<number, TraceConnection>;
  readonly successors: ReadonlyMap<Subscription, Successor>;
  readonly endUs: number;
}

export function audienceOf(
  facts: PubSubFacts,
  connections: ReadonlyMap<number, TraceConnection>,
  endUs: number,
): Audience {
  const ground = { connections, endUs, successors: successorsOf(facts, connections) };
  const hearings = new Map<Publication, Hearing[]>();
  const streams = new Map<number, Stream>();
  for (const [channel, listeners] of facts.listeners) {
    const published = facts.publications.get(channel) ?? [];
    const longestUs = published.reduce((most, { mark }) => Math.max(most, tookUs(mark)), 0);
    for (const listener of listeners) {
      const found = hearingsOf(listener, published, longestUs, ground);
      pairAll(found, listener.heard);
      for (const hearing of found) append(hearings, hearing.publication, hearing);
      follow(streams, listener, found, connections);
    }
  }
  const { successors } = ground;
  const returned = new Set([...successors.values()].map(({ subscription }) => subscription));
  return { hearings, successors, returned, streams };
}

function tookUs({ requestedUs, repliedUs }: Publication['mark']): number {
  return repliedUs === null ? Number.POSITIVE_INFINITY : repliedUs - requestedUs;
}

/** One for each publication that the listener may have been subscribed for, in their order. */
function hearingsOf(
  listener: Listener,
  published: readonly Publication[],
  longestUs: number,
  ground: Ground,
): Hearing[] {
  const found = new Map<Publication, Hearing>();
  for (const subscription of listener.subscriptions) {
    const untilUs = concernsUntil(subscription, ground);
    for (let at = firstFrom(published, subscription.asked.requestedUs - longestUs); ; at++) {
      const publication = published[at];
      if (!publication || publication.mark.requestedUs >= untilUs) break;
      const standing = standingOf(subscription, publication, ground.connections);
      const known = found.get(publication);
      if (standing === null || (known && standing !== 'certain')) continue;
      found.set(publication, { publication, subscription, standing, push: null, unsure: false });
    }
  }
  return [...found.values()].sort((a, b) => a.publication.mark.id - b.publication.mark.id);
}

/** From then on a publication is no concern of this subscription. */
function concernsUntil(subscription: Subscription, { connections, successors, endUs }: Ground): number {
  const { left } = subscription;
  if (left !== null) return left.repliedUs ?? endUs;
  const connection = connections.get(subscription.connection);
  const closedUs = connection?.closedUs ?? null;
  if (closedUs === null) return Number.POSITIVE_INFINITY;
  const next = successors.get(subscription)?.subscription;
  if (next) return next.asked.repliedUs ?? connections.get(next.connection)?.closedUs ?? endUs;
  return isPending(connection, endUs) ? Number.POSITIVE_INFINITY : closedUs;
}

/** The connection was cut, and the trace ends too soon to show whether its process subscribes again. A FIN of the client is no cut. */
export function isPending(connection: TraceConnection | undefined, endUs: number): boolean {
  if (!connection || connection.closedUs === null) return false;
  const gone = connection.closedBy === 'client' && connection.closedHow === 'fin';
  return !gone && endUs - connection.closedUs < LIKELY_WITHIN_US;
}

function firstFrom(published: readonly Publication[], us: number): number {
  let [low, high] = [0, published.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((published[middle]?.mark.requestedUs ?? 0) < us) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Null: not subscribed, for certain. */
function standingOf(
  { connection, asked, left }: Subscription,
  { mark }: Publication,
  connections: ReadonlyMap<number, TraceConnection>,
): Standing | null {
  const doneUs = mark.repliedUs ?? Number.POSITIVE_INFINITY;
  if (doneUs <= asked.requestedUs) return null;
  if (left !== null && left.repliedUs !== null && left.repliedUs <= mark.requestedUs) return null;
  const closedUs = connections.get(connection)?.closedUs ?? Number.POSITIVE_INFINITY;
  if (closedUs <= mark.requestedUs) return left === null ? 'between' : null;
  if (asked.repliedUs === null || asked.repliedUs > mark.requestedUs) return 'starting';
  if (left !== null && left.requestedUs < doneUs) return 'leaving';
  return closedUs < doneUs ? 'closing' : 'certain';
}

function pairAll(hearings: readonly Hearing[], heard: readonly Heard[]): void {
  const came = new Map<number, Heard[]>();
  for (const one of heard) append(came, one.content, one);
  const due = new Map<number, Hearing[]>();
  for (const hearing of hearings)
    if (hearing.standing !== 'between') append(due, hearing.publication.content, hearing);
  for (const [content, candidates] of due) pair(candidates, came.get(content) ?? []);
}

/** Equal messages on one connection and channel: those published with those that came, in order. */
function pair(candidates: readonly Hearing[], came: readonly Heard[]): void {
  const certain = candidates.filter(({ standing }) => standing === 'certain');
  if (came.length === 0) return;
  if (came.length >= candidates.length || certain.length === candidates.length) inOrder(candidates, came);
  else if (came.length < certain.length) for (const hearing of candidates) hearing.unsure = true;
  else {
    inOrder(certain, came);
    if (came.length > certain.length)
      for (const hearing of candidates) hearing.unsure = hearing.standing !== 'certain';
  }
}

function inOrder(candidates: readonly Hearing[], came: readonly Heard[]): void {
  let next = 0;
  for (const hearing of candidates) {
    // What came before it was published is somebody else's, who publishes the same past the proxy.
    while ((came[next]?.receivedUs ?? Number.POSITIVE_INFINITY) < hearing.publication.mark.requestedUs)
      next++;
    hearing.push = came[next++] ?? null;
  }
}

function follow(
  streams: Map<number, Stream>,
  { connection, subscriptions }: Listener,
  hearings: readonly Hearing[],
  connections: ReadonlyMap<number, TraceConnection>,
): void {
  let { passedUs, last, lagUs } = streams.get(connection) ?? { passedUs: 0, last: null, lagUs: 0 };
  for (const { asked, left } of subscriptions)
    for (const mark of [asked, left])
      if (mark !== null && mark.repliedUs !== null) passedUs = Math.max(passedUs, mark.requestedUs);
  const closedUs = connections.get(connection)?.closedUs ?? Number.POSITIVE_INFINITY;
  for (const { push, publication } of hearings) {
    if (!push) continue;
    passedUs = Math.max(passedUs, publication.mark.requestedUs);
    if (last && last.receivedUs > push.receivedUs) continue;
    last = push;
    lagUs = Math.max(
      (push.flushedUs ?? closedUs) - push.receivedUs,
      push.receivedUs - (publication.mark.repliedUs ?? push.receivedUs),
    );
  }
  streams.set(connection, { passedUs, last, lagUs });
}
