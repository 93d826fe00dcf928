/**
 * Cancelled after the backup: the next receive step puts the message back and it is popped again. Not lost, but late; it
 * may overtake others or be overtaken. channels_redis#151.
 *
 * On the wire: `ZADD I m`, no `ZPOPMIN I` of it; a later restore (the cleanup EVAL); BZPOPMIN returns the same m again.
 */
import type { EndAcknowledged } from '../ending.js';
import { acknowledgedInItsPlace } from '../overtaken-backup.js';
import { type Case, type Cause, cite, type Examination, milliseconds } from './cause.js';
import { workerDuplicate } from './worker-duplicate.js';

function examine(example: Case<EndAcknowledged>): Examination {
  const { end, missed, journey, queue, evidence } = example;
  const { pops } = end;
  if (missed) return { holds: false, because: 'a client never got it, though it was popped again' };
  const [first] = pops;
  const last = pops.at(-1);
  if (!first || !last || first === last) return { holds: false, because: 'it was popped once' };
  if (workerDuplicate.examine(example).holds === true)
    return { holds: false, because: 'its first reader was not cancelled: it went on with it' };
  if (acknowledgedInItsPlace(journey, queue, evidence))
    return { holds: false, because: 'its first receiver had processed it' };
  return {
    holds: true,
    because: `it was popped ${pops.length} times, and backed up and acknowledged after the last, ${milliseconds(first.requestedUs, last.requestedUs)} after the first`,
    cites: pops.map((pop) => cite('pop', pop)),
  };
}

export const redeliveredLate: Cause<EndAcknowledged> = {
  id: 'redelivered-late',
  verdict: 'redelivered-late',
  meaning:
    'A consumer was cancelled after it had backed the message up; the next one put it back into the queue and received it again. It was late, not lost.',
  refutedBy: 'the same member popped only once, or no backup after its last pop.',
  advice:
    'Nothing was lost by Redis or the layer. A client that takes a gap for a loss at once should wait a moment for late counts; a consumer may see such a message twice, or out of order.',
  examine,
};
