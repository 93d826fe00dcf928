/**
 * Two processes share the queue that should be one process's own: they were forked after their layer was made, or were given the same
 * client prefix. Each message goes to whichever polls first; if that is not the process of its recipient, it is
 * acknowledged and handed to a consumer that is not there.
 *
 * On the wire: two receive loops on one queue (../receive-loops.ts), and the connection that took the message is of another process than
 * those by which the recipient speaks or joined. Judged only where a client says that it missed the message: the wire is perfect.
 * A stray pop overlaps with the next poll too, but is never backed up; and after a reconnect the polls follow one another.
 */
import type { EndAcknowledged } from '../ending.js';
import type { Evidence } from '../evidence.js';
import type { Journeys, Mark } from '../journey.js';
import { type Case, type Cause, cite, type Examination } from './cause.js';

function examine(example: Case<EndAcknowledged>): Examination {
  const { journey, end, queue, evidence, missedBy } = example;
  if (missedBy === null) return { holds: false, because: 'nobody says that it was missed' };
  const loops = evidence.loops(queue);
  const pop = end.pops.at(-1);
  if (!loops.overlap || !pop)
    return { holds: false, because: 'one receive loop explains all polls of its queue' };
  const [one, other] = loops.overlap;
  const two = `operations ${one.id} and ${other.id} polled its queue at the same time for two processes, on connections ${one.connection} and ${other.connection}`;
  const recipients = journey.payload.recipients ?? [];
  const missing = recipients.filter((channel) => missedBy.includes(channel));
  const homes = (missing.length > 0 ? missing : recipients).map((channel) =>
    livesWith(channel, pop, example),
  );
  if (homes.length > 0 && homes.every((here) => here === true))
    return { holds: false, because: `${two}, but it was taken by the process of its recipient` };
  // Where it is not known who of the recipients missed it, all of them must live elsewhere.
  const elsewhere = missing.length > 0 ? homes.includes(false) : homes.every((here) => here === false);
  if (homes.length > 0 && elsewhere)
    return {
      holds: true,
      because: `${two}; connection ${pop.connection} took it, for the process in which its recipient does not live`,
      cites: [cite('overlapping-poll', one), cite('overlapping-poll', other)],
    };
  return { holds: null, because: `${two}, and which of them its recipient lives in is not known` };
}

/** Does a channel live in the process that popped? Null: not known. */
function livesWith(channel: string, pop: Mark, { queue, evidence }: Case<EndAcknowledged>): boolean | null {
  const loops = evidence.loops(queue);
  const known = connectionsOf(channel, evidence).map((connection) =>
    loops.ofOneProcess(connection, pop.connection),
  );
  if (known.includes(true) === known.includes(false)) return null;
  return known.includes(true);
}

/** Connections of the process in which a channel lives: those by which it spoke, and was put into its groups. */
function connectionsOf(channel: string, evidence: Evidence): number[] {
  const joined = (evidence.journeys.memberships.get(channel) ?? []).map(({ mark }) => mark.connection);
  return [...new Set([...(spokenOn(evidence.journeys).get(channel) ?? []), ...joined])];
}

const SPOKEN_ON = new WeakMap<Journeys, ReadonlyMap<string, ReadonlySet<number>>>();

/** The connections by which each channel spoke, gathered once: everyone who missed something is asked about. */
function spokenOn(journeys: Journeys): ReadonlyMap<string, ReadonlySet<number>> {
  let known = SPOKEN_ON.get(journeys);
  if (!known) {
    const spoken = new Map<string, Set<number>>();
    for (const { payload, enqueues } of journeys.journeys) {
      if (payload.channel === null) continue;
      const connections = spoken.get(payload.channel) ?? new Set<number>();
      spoken.set(payload.channel, connections);
      for (const { connection } of enqueues) connections.add(connection);
    }
    known = spoken;
    SPOKEN_ON.set(journeys, known);
  }
  return known;
}

export const wrongProcess: Cause<EndAcknowledged> = {
  id: 'wrong-process',
  verdict: 'lost',
  meaning:
    'Two server processes read one queue that should belong to one of them, and the other one took the message: its recipient does not live there, so it was thrown away.',
  refutedBy:
    'the recipient speaking over a connection of the process that took it; or no two polls of the queue outstanding at once that were both backed up.',
  advice:
    'Make the channel layer after the fork (no use of it while the application is loaded: gunicorn --preload, uwsgi without lazy-apps, multiprocessing), so that each process gets a client prefix of its own; do not set the prefix yourself.',
  examine,
};
