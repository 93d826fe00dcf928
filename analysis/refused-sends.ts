/**
 * Messages that their sender gave up before they were on the wire: judgements of a queue with no member and no payload.
 *
 * `send` trims the queue, counts it, and raises ChannelFull where the count has reached the capacity; what shows is a ZCOUNT with no ZADD after it. A
 * pool may send the three commands over three connections. Each ZADD is paired with the count that came right before it on its
 * connection, if any; a count left over is a refusal only if no ZADD is left over that could be its own, and if its reply reached a
 * client that lived on: a connection cut right after the count looks the same and says nothing. The capacity is known where a
 * group_send names it for this queue; else only a limit that several counts agree on is one.
 *
 * And where Redis refuses the trim itself (out of memory it refuses every command in a MULTI; a replica refuses any write), neither
 * `send` nor group_send goes on.
 */
import { overCapacity } from './causes/over-capacity.js';
import { perhapsStalled, receiverStalled, silence } from './causes/receiver-stalled.js';
import { rejected } from './causes/rejected.js';
import type { Evidence } from './evidence.js';
import type { Enqueue, Mark, QueueHistory } from './journey.js';
import type { Judgement } from './judgement.js';
import { countWhile } from './moment.js';
import { processOf } from './profiles/channel-layer.js';
import type { Count, RefusedTrim, Trim } from './upkeep.js';

/** So long a client may take from one command of a send to the next. */
const NEXT_COMMAND_WITHIN_US = 5_000_000;
/** A client that lives on for so long after the count was not cut off by it. */
const LIVED_ON_US = 1_000_000;
/** So many counts that nothing followed make a limit, where no capacity is named. */
const AGREEING_COUNTS = 3;

export function refusedSends(evidence: Evidence): Judgement[] {
  return [...evidence.journeys.queues.values()].flatMap((queue) => {
    const { unfollowed, followed } = countsOf(queue);
    const limit = limitOf(queue, unfollowed, followed);
    return [
      ...unfollowed.flatMap((sight) => {
        const verdict = verdictOn(sight, limit, queue, evidence);
        return verdict ? [judgementOf(sight.count, 'count', queue, verdict)] : [];
      }),
      ...queue.upkeep.flatMap((each) =>
        each.does === 'refused-trim' ? [judgementOf(each, 'trim', queue, verdictOnRefused(each))] : [],
      ),
    ];
  });
}

/** A count of a send, with a ZADD on another connection that may be its own. */
interface Sight {
  readonly count: Count;
  /** Null: the reply is not known. */
  readonly held: number | null;
  readonly perhaps: Enqueue | null;
}

function countsOf(queue: QueueHistory): {
  readonly unfollowed: readonly Sight[];
  readonly followed: readonly number[];
} {
  const trims = queue.upkeep.filter((each): each is Trim => each.does === 'trim' && each.alone);
  const counts = queue.upkeep.filter((each): each is Count => each.does === 'count' && ofSend(each, trims));
  const adds = queue.journeys.flatMap(({ enqueues }) => enqueues).filter(({ by }) => by === 'send');
  const commands = [...counts, ...adds].sort((a, b) => a.requestedUs - b.requestedUs || a.id - b.id);
  /** The last count on each connection that nothing followed yet. */
  const waiting = new Map<number, Count>();
  const unfollowed = new Set(counts);
  const followed: number[] = [];
  const loose: Enqueue[] = [];
  for (const command of commands) {
    const count = waiting.get(command.connection);
    waiting.delete(command.connection);
    if ('does' in command) waiting.set(command.connection, command);
    else if (count && precedes(count, command)) {
      unfollowed.delete(count);
      followed.push(count.held ?? 0);
    } else loose.push(command);
  }
  return {
    followed,
    unfollowed: [...unfollowed].flatMap((count) => {
      const next = loose[countWhile(loose, ({ requestedUs }) => requestedUs < (count.repliedUs ?? Infinity))];
      const perhaps = next && precedes(count, next) ? next : null;
      return [{ count, held: count.held, perhaps }];
    }),
  };
}

/** A send trims before it counts, on its own connection or another: a count without a trim is somebody else's. */
function ofSend(count: Count, trims: readonly Trim[]): boolean {
  for (let i = countWhile(trims, ({ requestedUs }) => requestedUs < count.requestedUs) - 1; i >= 0; i--) {
    const trim = trims[i] as Trim;
    if (precedes(trim, count)) return true;
    if (count.requestedUs - trim.requestedUs > NEXT_COMMAND_WITHIN_US) return false;
  }
  return false;
}

function precedes(earlier: Mark, later: Mark): boolean {
  // Where the reply is not known, one connection still sends in order.
  const unknownUs = earlier.connection === later.connection ? earlier.requestedUs : Number.POSITIVE_INFINITY;
  const repliedUs = earlier.repliedUs ?? unknownUs;
  return repliedUs <= later.requestedUs && later.requestedUs - repliedUs <= NEXT_COMMAND_WITHIN_US;
}

/** How much makes the queue full for certain, and how much is room for certain. */
interface Limit {
  readonly full: number;
  readonly room: number;
  readonly why: string;
}

function limitOf(queue: QueueHistory, unfollowed: readonly Sight[], followed: readonly number[]): Limit {
  const capacities = queue.journeys.flatMap(({ enqueues }) =>
    enqueues.flatMap(({ capacity }) => capacity ?? []),
  );
  if (capacities.length > 0) {
    const [full, least] = [
      capacities.reduce((a, b) => Math.max(a, b)),
      capacities.reduce((a, b) => Math.min(a, b)),
    ];
    return { full, room: least - 1, why: `its capacity is ${full}, as group_send says` };
  }
  const room = followed.reduce((a, b) => Math.max(a, b), 0);
  const above = unfollowed.flatMap(({ held, perhaps }) =>
    held !== null && held > room && perhaps === null ? [held] : [],
  );
  const full =
    above.length >= AGREEING_COUNTS ? above.reduce((a, b) => Math.min(a, b)) : Number.POSITIVE_INFINITY;
  return { full, room, why: `no send went on that counted ${full} or more, and ${above.length} did not` };
}

type Verdict = Pick<Judgement, 'verdict' | 'cause' | 'because' | 'alternatives'>;

function verdictOn(
  { count, held, perhaps }: Sight,
  limit: Limit,
  queue: QueueHistory,
  evidence: Evidence,
): Verdict | null {
  const following = { fromUs: count.requestedUs, toUs: count.requestedUs + NEXT_COMMAND_WITHIN_US };
  if (held === null)
    return evidence.isHidden(queue.name, following)
      ? {
          ...{ verdict: 'indeterminate', cause: null, alternatives: [overCapacity.id, 'never-sent'] },
          because: `operation ${count.id} counted the queue, what it counted may be in a hole of the trace, and no ZADD followed`,
        }
      : null;
  if (held <= limit.room) return null; // not full: whatever stopped this send, it was not the queue
  const counted = `operation ${count.id} counted ${held} in the queue`;
  const undecided = (because: string): Verdict => ({
    verdict: 'indeterminate',
    cause: null,
    because: `${counted}; ${because}`,
    alternatives: [overCapacity.id, 'never-sent'],
  });
  const repliedUs = count.repliedUs ?? count.requestedUs;
  const closedUs = evidence.connections.get(count.connection)?.closedUs ?? evidence.endUs;
  if (perhaps)
    return undecided(
      `the ZADD of operation ${perhaps.id}, on another connection, may be its own or another's`,
    );
  if (evidence.isHidden(queue.name, { fromUs: count.requestedUs, toUs: repliedUs + NEXT_COMMAND_WITHIN_US }))
    return undecided('what followed may be in a hole of the trace');
  if (count.flushedUs === null || closedUs - repliedUs < LIVED_ON_US)
    return undecided(
      `connection ${count.connection} ended right after, so nothing may have followed for that reason`,
    );
  if (held < limit.full) return undecided('what its capacity is, the trace does not say');
  const stall = evidence.readers.stallAt(queue, count.requestedUs);
  const unseen = stall ? null : perhapsStalled(queue, count.requestedUs, evidence);
  if (unseen) return { ...undecided(unseen), alternatives: [overCapacity.id, receiverStalled.id] };
  const root = stall ? receiverStalled : overCapacity;
  return {
    ...{ verdict: root.verdict, cause: root.id, alternatives: [] },
    because: `${counted}, and no ZADD followed: ${limit.why}${stall ? `; ${silence(stall)}` : ''}`,
  };
}

function verdictOnRefused({ id, error }: RefusedTrim): Verdict {
  return {
    ...{ verdict: rejected.verdict, cause: rejected.id, alternatives: [] },
    because: `Redis refused the first command of the send to this queue, its trim (operation ${id}): ${error}`,
  };
}

const NO_PAYLOAD = { sender: null, count: null, channel: null, recipients: null, excerpt: null } as const;

function judgementOf(mark: Mark, role: string, queue: QueueHistory, verdict: Verdict): Judgement {
  return {
    ...verdict,
    payload: NO_PAYLOAD,
    queue: queue.name,
    member: Buffer.alloc(0),
    story: [
      'A message was to be sent to this queue; it is not on the wire, so its sender and count are not known, nor whether its sender tried again.',
    ],
    consequences: [],
    waypoints: [{ role, mark }],
    cites: [],
    present: null,
    taker: null,
    atUs: mark.repliedUs ?? mark.requestedUs,
    process: processOf(queue.name),
  };
}
