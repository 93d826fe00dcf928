/**
 * Its acknowledgement took another message out of the backup, one whose backup had come too late (backup-overtaken); it stayed there itself, was
 * put back by the next receive step, and processed a second time. What the wire shows is in ../overtaken-backup.ts.
 */
import type { EndAcknowledged } from '../ending.js';
import { acknowledgedInItsPlace } from '../overtaken-backup.js';
import { type Case, type Cause, cite, type Examination } from './cause.js';

function examine(example: Case<EndAcknowledged>): Examination {
  if (example.missed) return { holds: false, because: 'a client never got it, though it was popped again' };
  const { journey, queue, evidence, end } = example;
  const taken = acknowledgedInItsPlace(journey, queue, evidence)?.acknowledgement;
  if (!taken) return { holds: false, because: 'no acknowledgement of it took another message' };
  if (end.acknowledgement.id === taken.id)
    return { holds: false, because: 'it was popped again, but nobody got it that time' };
  return {
    holds: true,
    because: `the acknowledgement that was sent for it (operation ${taken.id}) took another message out of the backup, so it was put back and popped again: it was processed twice`,
    cites: [cite('acknowledge', taken), ...end.pops.map((pop) => cite('pop', pop))],
  };
}

export const acknowledgedAnother: Cause<EndAcknowledged> = {
  id: 'acknowledged-another',
  verdict: 'duplicated',
  meaning:
    'Its process was done with it and acknowledged, but the acknowledgement took out another message, which a cancelled consumer had left in the backup; so this one came a second time.',
  refutedBy:
    'its own acknowledgement having taken it out; or its first receiver having been cancelled before it acknowledged (then it was processed once, late).',
  advice:
    'A consumer may get the same message twice: make its work safe to repeat. The other message was lost (backup-overtaken); the cure is the same.',
  examine,
};
