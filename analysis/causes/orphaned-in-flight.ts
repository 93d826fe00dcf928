/**
 * Its process died after it had popped the message and backed it up: nobody puts the backup back, because only a receiver of the same queue would, and a
 * new process has a queue of its own. The backup has no time to live, and stays in Redis as a leak.
 *
 * On the wire: `ZADD I m`, no `ZPOPMIN I` of it, all connections that ever received from K closed, no restore (the cleanup EVAL) of K after it, K never
 * polled again, though the trace goes on for longer than a poll.
 */
import type { EndInBackup } from '../ending.js';
import { seconds } from '../moment.js';
import { BACKUP_SUFFIX } from '../profiles/channel-layer.js';
import { type Case, type Cause, cite, type Examination } from './cause.js';

function examine({ end: { pop, backup }, queue, evidence }: Case<EndInBackup>): Examination {
  const gone = evidence.readers.gone(queue);
  if (!gone) return { holds: false, because: 'the process that reads its queue is not known to be gone' };
  const removal = queue.upkeep.find(
    (each) =>
      each.does === 'remove' && each.backup && each.done !== false && each.requestedUs >= backup.requestedUs,
  );
  if (removal)
    return {
      holds: null,
      because: `operation ${removal.id} (${removal.command}) removed the backup, so it is not known whether it had been acknowledged`,
      otherwise: ['delivered'],
    };
  return {
    holds: true,
    because: `it was backed up and never acknowledged; its process closed all ${gone.connections} of its connections that ever received from the queue by ${seconds(gone.sinceUs)}, nobody put the backup back, and nobody polled the queue again. It stays in ${queue.name}${BACKUP_SUFFIX}, which has no time to live`,
    cites: [cite('pop', pop), cite('backup', backup)],
  };
}

export const orphanedInFlight: Cause<EndInBackup> = {
  id: 'orphaned-in-flight',
  verdict: 'lost',
  meaning:
    'Its process ended between receiving it and being done with it. The copy in $inflight is there for that, but only the same process would have put it back. Whether a consumer got it in the last moment before the end, the wire cannot tell.',
  refutedBy:
    'an acknowledgement of it; a later restore (cleanup EVAL) or poll of its queue on any connection; a connection of that process still open.',
  advice:
    'Stop processes with time to finish (SIGTERM, not SIGKILL; see why it died: out of memory, a deploy). Its clients were connected to that process and must reconnect: let them ask for what they missed. Delete leaked $inflight keys of processes that are gone.',
  examine,
};
