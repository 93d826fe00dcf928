/**
 * A backup that came too late: the consumer that popped a message was cancelled while its `ZADD I m` was on the way, and closed the connection;
 * the next receive step's restore was there first and put nothing back. Then there are two messages in the backup, and the next
 * acknowledgement (`ZPOPMIN I`, which takes the oldest) takes this one: it is gone, though popped, backed up and acknowledged.
 *
 * The order is certain by data: a restore that had come after the backup would have put the message back, and the
 * acknowledgement could not have taken it. Found by `make accuracy` on our layer's own receive as channels_redis does it.
 */
import type { Evidence } from './evidence.js';
import type { Journey, QueueHistory } from './journey.js';
import type { Mark } from './mark.js';
import { countWhile } from './moment.js';

export interface OvertakenBackup {
  readonly pop: Mark;
  readonly backup: Mark;
  /** The step that was there first. */
  readonly restore: Mark;
  /** Sent for another message, by the receiver that restored. */
  readonly acknowledgement: Mark;
}

export function overtakenBackup(
  { pops, backups, acknowledgements }: Journey,
  queue: QueueHistory,
  evidence: Evidence,
): OvertakenBackup | null {
  const pop = pops.at(-1);
  if (!pop) return null;
  const poppedUs = pop.repliedUs ?? pop.requestedUs;
  const backup = backups.find(({ requestedUs }) => requestedUs >= poppedUs);
  if (!backup) return null;
  const acknowledgement = acknowledgements.find(({ requestedUs }) => requestedUs >= backup.requestedUs);
  if (acknowledgement?.command !== 'ZPOPMIN') return null;
  const { closedUs, closedBy } = evidence.connections.get(backup.connection) ?? {};
  // Its reply reached nobody: who had sent it was gone before, and had handed nothing on.
  if (closedBy !== 'client' || closedUs == null || closedUs >= (backup.repliedUs ?? Infinity)) return null;
  const { restores } = queue;
  let at = countWhile(restores, ({ requestedUs }) => requestedUs <= poppedUs);
  while (restores[at]?.connection === backup.connection) at++;
  const restore = restores[at];
  if (restore && restore.requestedUs >= acknowledgement.requestedUs) return null;
  return restore ? { pop, backup, restore, acknowledgement } : null;
}

interface Overtaken {
  readonly other: Journey;
  readonly overtaken: OvertakenBackup;
}

const OVERTAKEN = new WeakMap<QueueHistory, readonly Overtaken[]>();

/** All of a queue's; looked for once. */
function overtakenIn(queue: QueueHistory, evidence: Evidence): readonly Overtaken[] {
  let found = OVERTAKEN.get(queue);
  if (!found) {
    found = queue.journeys.flatMap((other) => {
      const overtaken = overtakenBackup(other, queue, evidence);
      return overtaken ? [{ other, overtaken }] : [];
    });
    OVERTAKEN.set(queue, found);
  }
  return found;
}

/** The backup and the acknowledgement of an earlier pop of this message whose receiver was done with it, and acknowledged another in its place. */
export function acknowledgedInItsPlace(
  journey: Journey,
  queue: QueueHistory,
  evidence: Evidence,
): { readonly backup: Mark; readonly acknowledgement: Mark } | null {
  const earlier = journey.pops.slice(0, -1);
  if (earlier.length === 0) return null;
  for (const { other, overtaken } of overtakenIn(queue, evidence)) {
    if (other === journey) continue;
    const { restore, acknowledgement } = overtaken;
    const popped = earlier.some(({ requestedUs }) => requestedUs >= restore.requestedUs);
    const backup = journey.backups.find(
      ({ requestedUs, repliedUs }) =>
        requestedUs > restore.requestedUs && (repliedUs ?? requestedUs) <= acknowledgement.requestedUs,
    );
    if (popped && backup) return { backup, acknowledgement };
  }
  return null;
}
