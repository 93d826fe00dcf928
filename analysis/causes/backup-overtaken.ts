/**
 * The consumer that popped it was cancelled while it backed it up, the next one's restore was there before the backup, and the next one's
 * acknowledgement took it out of the backup in place of its own message. What the wire shows is in ../overtaken-backup.ts.
 */
import { type EndAcknowledged, holeText } from '../ending.js';
import { overtakenBackup } from '../overtaken-backup.js';
import { type Case, type Cause, cite, type Examination } from './cause.js';

function examine({ journey, queue, evidence }: Case<EndAcknowledged>): Examination {
  const overtaken = overtakenBackup(journey, queue, evidence);
  if (!overtaken) return { holds: false, because: 'its backup was there before the next receive step' };
  const { pop, backup, restore, acknowledgement } = overtaken;
  if (evidence.present(journey.payload.recipients, restore.requestedUs)?.length === 0)
    return { holds: false, because: 'everyone it was for had left by then' };
  const span = { fromUs: pop.requestedUs, toUs: acknowledgement.repliedUs ?? acknowledgement.requestedUs };
  const [hole] = evidence.holesHiding(queue.name, span);
  if (hole)
    return {
      holds: null,
      because: `its backup came after the next receive step, but ${holeText(hole)}`,
      otherwise: ['delivered'],
    };
  return {
    holds: true,
    because: `connection ${pop.connection} took it, and the client closed connection ${backup.connection} before the reply to its backup (operation ${backup.id}); the next receive step had found the backup empty (operation ${restore.id}), and its acknowledgement, which was for another message, took this one out (operation ${acknowledgement.id})`,
    cites: [
      cite('pop', pop),
      cite('backup', backup),
      cite('restore', restore),
      cite('acknowledge', acknowledgement),
    ],
  };
}

export const backupOvertaken: Cause<EndAcknowledged> = {
  id: 'backup-overtaken',
  verdict: 'lost',
  meaning:
    'A consumer was cancelled, because its WebSocket closed, while it backed up a message that it had received for all consumers of its process; the next consumer was faster than that backup, found nothing to put back, and later threw the backup away in place of its own.',
  refutedBy:
    'the reply to its backup having reached the client before that closed the connection; a later pop of the message; or no restore between its pop and the acknowledgement.',
  advice:
    'The core layer of channels_redis 3.0 to 4.3 can do this where a cancelled command closes its connection (redis-py 4.3, 5.x). What helps is what helps against popped-then-disconnected: clients that ask for a missing count, channels_redis.pubsub, or a receive that a closing WebSocket does not cancel.',
  examine,
};
