/**
 * Where a published message ended, for each subscriber that should have heard it; not yet why.
 *
 *   PUBLISH -> nobody                          Redis says that it reached none
 *           -> a subscriber's connection       which ended without it, or was between two
 *           -> reached                         every subscriber's kernel has it
 *
 * A PUBLISH's reply counts its subscribers. Who was counted and got nothing lost what Redis had sent; who was not counted was not
 * subscribed, whatever it thought. Where others may be subscribed past the proxy, the count of those that got nothing says less.
 */
import type { TraceConnection, TraceHole } from '../../proxy/trace/trace.js';
import { holeText } from '../ending.js';
import type { Evidence } from '../evidence.js';
import type { Mark } from '../journey.js';
import { type Audience, type Hearing, isPending, type Stream } from './audience.js';
import type { Heard, Publication, Subscription } from './facts.js';
import type { Successor } from './succession.js';
import { type Veil, veilOver } from './veil.js';

/** Redis reached nobody. */
export interface EndAtNobody {
  readonly at: 'nobody';
  /** Those who had asked to be subscribed, and were confirmed only later; or a hole may hide when. */
  readonly racers: readonly Subscription[];
  /** May hide one who was asking to be subscribed just then. */
  readonly hidden: TraceHole | null;
}

/** One subscriber's connection ended without it. */
export interface EndAtConnection {
  readonly at: 'connection';
  readonly subscription: Subscription;
  readonly connection: TraceConnection;
  readonly closedUs: number;
  /** Read from Redis, and never handed to the client; null: not even read. */
  readonly push: Heard | null;
  /** Did Redis count this subscriber? Null: its answer does not tell. */
  readonly counted: boolean | null;
  /** How late the last message came there, because the client took it slowly; 0: in time, or none came. */
  readonly lateUs: number;
  /** The process' next subscription to the same channel. */
  readonly successor: Successor | null;
  /** The trace ends too soon to show whether there is one. */
  readonly pending: boolean;
  /** CLIENT KILL between the PUBLISH and the end of the connection. */
  readonly kill: Mark | null;
}

/** Handed to its subscribers; those to whom it was not have their own ending. */
export interface EndReached {
  readonly at: 'reached';
  readonly hearings: readonly Hearing[];
  /** How many did not get it. */
  readonly astray: number;
  readonly racers: readonly Subscription[];
  /** Subscribers that Redis counted and the trace does not show. */
  readonly strangers: number;
}

export interface EndRefused {
  readonly at: 'refused';
  readonly error: string;
}

/** The trace ends first. */
export interface EndUnfinished {
  readonly at: 'unfinished';
  readonly why: string;
  readonly subscription: Subscription;
}

export interface EndUndecided {
  readonly at: 'undecided';
  readonly why: string;
  readonly alternatives: readonly string[];
  readonly subscription: Subscription | null;
}

/** The ends that have causes. */
export type PubSubEnd = EndAtNobody | EndAtConnection | EndReached;
export type PubSubEnding = PubSubEnd | EndRefused | EndUnfinished | EndUndecided;

/** What the endings of all messages are told by. */
export interface Ground {
  readonly audience: Audience;
  readonly evidence: Evidence;
  readonly kills: readonly Mark[];
  /** Channels on which Redis has counted subscribers that the trace does not show. */
  readonly strange: ReadonlySet<string>;
  readonly veils: readonly Veil[];
}

const UNANSWERED = 'Redis did not answer the PUBLISH in this trace: it may have been done or not';
/** Messages that come this much late, beside what gaptrace delays them, wait for a client that does not read. */
const LATE_US = 100_000;
/** From a SUBSCRIBE to Redis' confirmation, where no delay was added: a second is long. */
const ASKED_WITHIN_US = 1_000_000;

/** One for all who got it, or where there was nobody; and one for each subscriber that did not get it. */
export function endingsOf(publication: Publication, ground: Ground): PubSubEnding[] {
  if (publication.error !== null) return [{ at: 'refused', error: publication.error }];
  const hearings = ground.audience.hearings.get(publication) ?? [];
  const got = hearings.filter(({ push }) => push !== null && push.flushedUs !== null);
  const astray = hearings
    .filter((hearing) => !got.includes(hearing) && isOwed(hearing, hearings, ground))
    .map((hearing) => astrayEnding(hearing, hearings, ground));
  const racers = hearings.filter((hearing) => isRacer(hearing, ground)).map((one) => one.subscription);
  const strangers = Math.max(0, (publication.receivers ?? 0) - countHeard(hearings) - astray.length);
  const hole =
    veilOver(publication, ground.veils) ?? (strangers > 0 ? holeBefore(publication, ground) : null);
  if (hole && astray.length === 0)
    return [undecided(`a subscriber that did not get it may be hidden: ${holeText(hole)}`, null)];
  if (got.length > 0)
    return [...astray, { at: 'reached', hearings: got, astray: astray.length, racers, strangers }];
  if (astray.length > 0) return astray;
  if (publication.receivers === 0)
    return [{ at: 'nobody', racers, hidden: holeOverRequests(publication, ground) }];
  return [
    publication.receivers === null
      ? undecided(UNANSWERED, null, ['send-unconfirmed'])
      : undecided(
          `Redis sent it to ${publication.receivers} subscribers, none of which the trace shows: their connections do not pass the proxy, or were there before it`,
          null,
          ['delivered', 'lost'],
        ),
  ];
}

/** A hole that may hide a SUBSCRIBE which Redis took after this PUBLISH. */
function holeOverRequests({ mark }: Publication, { evidence }: Ground): TraceHole | null {
  const askedUs = mark.requestedUs - ASKED_WITHIN_US - 2 * evidence.latencyUs;
  const [hole] = evidence.requestsHidden(askedUs, mark.repliedUs ?? evidence.endUs);
  return hole ?? null;
}

/** Where Redis counted somebody whom the trace does not show: a hole that may hide him. */
function holeBefore({ mark }: Publication, { evidence }: Ground): TraceHole | null {
  const doneUs = mark.repliedUs ?? evidence.endUs;
  return evidence.holes.find((hole) => hole.reason !== 'redacted' && hole.fromUs <= doneUs) ?? null;
}

export function countHeard(hearings: readonly Hearing[]): number {
  return hearings.filter(({ push }) => push !== null).length;
}

/** Is it a loss that nothing came there? */
export function isOwed(hearing: Hearing, hearings: readonly Hearing[], { audience }: Ground): boolean {
  if (hearing.push !== null) return true;
  // Whoever was leaving, or not there yet, is owed nothing. What comes between two connections is the first one's to tell.
  if (hearing.standing === 'starting' || hearing.standing === 'leaving') return false;
  const next = audience.successors.get(hearing.subscription)?.subscription;
  return !hearings.some(({ subscription, push }) => subscription === next && push !== null);
}

/**
 * Asked to be subscribed, confirmed later, and got nothing: so Redis took the PUBLISH first. A process that comes back is no newcomer. Where a
 * hole may hide the confirmation, it may be one.
 */
function isRacer({ standing, push, unsure, subscription }: Hearing, { audience, evidence }: Ground): boolean {
  if (standing !== 'starting' || push !== null || unsure || audience.returned.has(subscription)) return false;
  const { connection, asked } = subscription;
  if (asked.repliedUs === null)
    return evidence.holes.some(
      (hole) =>
        (hole.connection === null || hole.connection === connection) &&
        hole.direction !== 'client' &&
        (hole.toUs ?? evidence.endUs) >= asked.requestedUs,
    );
  return asked.repliedUs <= (evidence.connections.get(connection)?.closedUs ?? Number.POSITIVE_INFINITY);
}

function astrayEnding(hearing: Hearing, hearings: readonly Hearing[], ground: Ground): PubSubEnding {
  const { evidence, audience } = ground;
  const { publication, subscription, push } = hearing;
  const connection = evidence.connections.get(subscription.connection);
  const closedUs = connection?.closedUs ?? null;
  const doubt = doubtOf(hearing, closedUs ?? evidence.endUs, ground);
  if (doubt) return doubt;
  if (!connection || closedUs === null)
    return {
      at: 'unfinished',
      why: `connection ${subscription.connection} was subscribed; the trace ends before it was handed over there`,
      subscription,
    };
  return {
    at: 'connection',
    ...{ subscription, connection, closedUs, push },
    lateUs: lateUs(audience.streams.get(subscription.connection) ?? null, evidence),
    counted: countedOf(hearing, hearings, ground),
    successor: audience.successors.get(subscription) ?? null,
    pending: isPending(connection, evidence.endUs),
    kill: killBetween(publication.mark.requestedUs, closedUs, ground.kills),
  };
}

/** Why it may have come after all, or was never sent; null: nothing speaks for it. */
function doubtOf(hearing: Hearing, untilUs: number, ground: Ground): EndUndecided | null {
  const { publication, subscription, push, standing, unsure } = hearing;
  const { connection } = subscription;
  const doneUs = publication.mark.repliedUs;
  if (unsure)
    return undecided(
      `fewer equal messages came on connection ${connection} than were published: which of them did, the trace does not tell`,
      subscription,
    );
  if (push !== null) return null;
  const [hole] = holesHiding(hearing, untilUs, ground);
  if (hole) return undecided(`nothing of it came, but ${holeText(hole)}`, subscription);
  if (doneUs === null) return undecided(UNANSWERED, subscription, ['send-unconfirmed']);
  if (standing === 'certain' && (ground.audience.streams.get(connection)?.passedUs ?? 0) >= doneUs)
    return undecided(
      `connection ${connection} was subscribed, and later things came on it, but not this`,
      subscription,
    );
  return null;
}

function killBetween(publishedUs: number, closedUs: number, kills: readonly Mark[]): Mark | null {
  const between = ({ requestedUs, repliedUs }: Mark): boolean =>
    requestedUs <= closedUs && (repliedUs ?? Number.POSITIVE_INFINITY) >= Math.min(publishedUs, closedUs);
  return kills.find(between) ?? null;
}

function lateUs(stream: Stream | null, { latencyUs }: Evidence): number {
  const lagUs = stream === null || stream.last === null ? 0 : stream.lagUs - 2 * latencyUs;
  return lagUs >= LATE_US ? lagUs : 0;
}

function countedOf(hearing: Hearing, hearings: readonly Hearing[], ground: Ground): boolean | null {
  if (hearing.push !== null) return true;
  const { receivers, channel } = hearing.publication;
  if (receivers === null) return null;
  const others = receivers - countHeard(hearings);
  if (others <= 0) return false;
  const candidates = hearings.filter((one) => mayBeCounted(one, ground));
  if (!candidates.includes(hearing)) return false;
  return others >= candidates.length && !ground.strange.has(channel) ? true : null;
}

/** Got nothing, and yet Redis may have counted it. What Redis closed, it does not count any more. */
function mayBeCounted({ push, standing, subscription }: Hearing, { evidence }: Ground): boolean {
  if (push !== null || standing === 'starting' || standing === 'leaving') return false;
  return standing !== 'between' || evidence.connections.get(subscription.connection)?.closedBy === 'client';
}

/** Holes that could hide its coming, its being given up, or an earlier return of its process. */
function holesHiding(
  { publication, subscription, standing }: Hearing,
  untilUs: number,
  { evidence, audience }: Ground,
): TraceHole[] {
  const next = audience.successors.get(subscription)?.subscription.connection;
  const toUs = Math.max(publication.mark.repliedUs ?? untilUs, untilUs);
  return evidence.holes.filter((hole) => {
    const holeEndUs = hole.toUs ?? evidence.endUs;
    // A message that broke off when the connection ended did not come.
    const brokeOff = hole.reason === 'unfinished' && hole.direction === 'redis';
    if (hole.reason === 'redacted' || brokeOff || hole.fromUs > toUs) return false;
    // An equal message that was lost in it, or an end of the subscription, would be missed by whatever comes later.
    if (hole.connection === null || hole.connection === subscription.connection)
      return holeEndUs >= subscription.asked.requestedUs;
    if (hole.connection === next) return true;
    return (
      standing === 'between' && hole.direction !== 'redis' && hole.reason !== 'cut' && holeEndUs >= untilUs
    );
  });
}

function undecided(
  why: string,
  subscription: Subscription | null,
  alternatives: readonly string[] = ['lost', 'delivered'],
): EndUndecided {
  return { at: 'undecided', why, alternatives, subscription };
}
