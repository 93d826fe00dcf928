/** What happened in each minute of the trace: who left, whose receive was cut off, what was lost. Side by side they tell a story. */
import type { Evidence } from '../evidence.js';
import type { InterruptedPop } from './interrupted.js';
import type { Moment } from './moments.js';

export interface Minute {
  readonly from_us: number;
  /** Less than a minute later where the trace ends. */
  readonly to_us: number;
  /** Consumers that left the last of their groups. */
  readonly disconnects: number;
  /** Connections closed by the client with a blocking pop on them unanswered, or answered just before. */
  readonly closed_with_pop_outstanding: number;
  readonly closed_with_pop_just_answered: number;
  /** All connections that a client closed. */
  readonly closed_by_client: number;
  readonly losses: number;
}

const MINUTE_US = 60_000_000;

export function minutesOf(
  evidence: Evidence,
  interrupted: readonly InterruptedPop[],
  moments: readonly Moment[],
): Minute[] {
  const times = {
    disconnects: evidence.departures.all().map(({ mark }) => mark.requestedUs),
    closed_with_pop_outstanding: closesOf(interrupted, 'outstanding'),
    closed_with_pop_just_answered: closesOf(interrupted, 'just-answered'),
    closed_by_client: [...evidence.connections.values()].flatMap(({ closedBy, closedUs }) =>
      closedBy === 'client' && closedUs !== null ? [closedUs] : [],
    ),
    losses: moments.flatMap(({ losses }) => losses.map(({ atUs }) => atUs)),
  };
  const minutes = Math.max(1, Math.ceil(evidence.endUs / MINUTE_US));
  const counted = (list: readonly number[]): number[] => {
    const counts = new Array<number>(minutes).fill(0);
    for (const us of list) {
      const minute = Math.min(Math.floor(us / MINUTE_US), minutes - 1);
      counts[minute] = (counts[minute] ?? 0) + 1;
    }
    return counts;
  };
  const disconnects = counted(times.disconnects);
  const outstanding = counted(times.closed_with_pop_outstanding);
  const justAnswered = counted(times.closed_with_pop_just_answered);
  const closed = counted(times.closed_by_client);
  const lost = counted(times.losses);
  return Array.from({ length: minutes }, (_, minute) => {
    return {
      from_us: minute * MINUTE_US,
      to_us: Math.min((minute + 1) * MINUTE_US, evidence.endUs),
      disconnects: disconnects[minute] ?? 0,
      closed_with_pop_outstanding: outstanding[minute] ?? 0,
      closed_with_pop_just_answered: justAnswered[minute] ?? 0,
      closed_by_client: closed[minute] ?? 0,
      losses: lost[minute] ?? 0,
    };
  });
}

function closesOf(interrupted: readonly InterruptedPop[], state: InterruptedPop['state']): number[] {
  return interrupted.filter((one) => one.state === state).map(({ closedUs }) => closedUs);
}
