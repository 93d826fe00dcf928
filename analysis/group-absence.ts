/**
 * Why a channel was not in a roll call: it joined later, had left, or had been removed by age. The roll call itself is the proof that it
 * was not there; this only looks for the reason in the group's history.
 *
 * One reason is innocent: a channel that joined later, of which nothing is known before (it neither spoke nor was it just joining), came
 * too late for this message, and no one owes it what was sent before.
 */
import { append } from './append.js';
import { type Citation, cite } from './causes/cause.js';
import type { GroupHistory, Join, RollCall } from './roll-calls.js';

/** From the one that says most to the one that says least; `late` is innocent. */
const REASONS = ['left', 'expired', 'join-race', 'vanished', 'never-joined', 'late'] as const;

export interface Absent {
  readonly reason: (typeof REASONS)[number];
  /** A clause. */
  readonly because: string;
  readonly cites: readonly Citation[];
}

/** The reason for one of several channels of a client: the one that says most. */
export function foremost(reasons: readonly Absent[]): Absent | undefined {
  return [...reasons].sort((a, b) => REASONS.indexOf(a.reason) - REASONS.indexOf(b.reason))[0];
}

/** `spokeBefore`: had the channel's consumer said something before the roll call? */
export function whyAbsent(
  channel: string,
  call: RollCall,
  group: GroupHistory,
  spokeBefore: boolean,
): Absent {
  const joins = joinsOf(group).get(channel) ?? [];
  const before = joins.findLast(({ mark }) => (mark.repliedUs ?? mark.requestedUs) <= call.mark.requestedUs);
  if (before) return removed(before, call, group);
  const [join] = joins;
  if (!join)
    return {
      reason: 'never-joined',
      because: `nothing in the trace puts ${channel} into that group`,
      cites: [],
    };
  const joined = `${channel} joined the group with operation ${join.mark.id}`;
  const racing = join.mark.requestedUs < (call.mark.repliedUs ?? call.mark.requestedUs);
  if (racing || spokeBefore)
    return {
      reason: 'join-race',
      because: racing
        ? `${joined}, which was under way at the same time and came too late`
        : `${joined}, after that; it had spoken before`,
      cites: [cite('join', join.mark)],
    };
  return { reason: 'late', because: `${joined}, after that`, cites: [cite('join', join.mark)] };
}

const JOINS = new WeakMap<GroupHistory, ReadonlyMap<string, readonly Join[]>>();

/** By channel: a group is asked about once for each of those who missed something. */
function joinsOf(group: GroupHistory): ReadonlyMap<string, readonly Join[]> {
  let joins = JOINS.get(group);
  if (!joins) {
    const byChannel = new Map<string, Join[]>();
    for (const join of group.joins) append(byChannel, join.channel, join);
    joins = byChannel;
    JOINS.set(group, joins);
  }
  return joins;
}

/** It had joined before: what took it out again? */
function removed(join: Join, call: RollCall, group: GroupHistory): Absent {
  const { channel } = join;
  const joinedUs = join.mark.requestedUs;
  const calledUs = call.mark.repliedUs ?? call.mark.requestedUs;
  const between = ({ mark }: { readonly mark: RollCall['mark'] }) =>
    (mark.repliedUs ?? mark.requestedUs) >= joinedUs && mark.requestedUs <= calledUs;
  const left = group.leaves.findLast((leave) => leave.channel === channel && between(leave));
  if (left)
    return {
      reason: 'left',
      because: `${channel} had left the group with operation ${left.mark.id}`,
      cites: [cite('left', left.mark)],
    };
  const purge = group.purges.find((one) => between(one) && one.upTo >= join.score);
  const joined = `${channel} had joined with operation ${join.mark.id}`;
  if (purge)
    return {
      reason: 'expired',
      because: `${joined}, and operation ${purge.mark.id} removed from the group all who had joined so long ago (group_expiry)`,
      cites: [cite('join', join.mark), cite('group-expiry', purge.mark)],
    };
  const lifetimes = group.lifetimes.filter(between);
  const lifetime = lifetimes.find(({ seconds, mark }, i) => {
    const renewedUs = lifetimes[i + 1]?.mark.requestedUs ?? calledUs;
    return renewedUs - mark.requestedUs >= seconds * 1e6;
  });
  if (lifetime)
    return {
      reason: 'expired',
      because: `${joined}, and the whole group had expired: operation ${lifetime.mark.id} had let it live for ${lifetime.seconds} s more (group_expiry), and nobody joined in that time`,
      cites: [cite('join', join.mark), cite('group-lifetime', lifetime.mark)],
    };
  return {
    reason: 'vanished',
    because: `${joined}, and nothing in the trace shows what took it out again: the group was removed past the proxy, or Redis lost it`,
    cites: [cite('join', join.mark)],
  };
}
