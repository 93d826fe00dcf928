/**
 * Redis refused the command that should have put the message into its queue: out of memory (OOM), a replica (READONLY), a
 * Redis that still loads, a missing permission (NOPERM), a key of another type (WRONGTYPE), a script it does not know (NOSCRIPT).
 *
 * On the wire: an error reply to ZADD or EVAL. With several hosts the other hosts may have taken their part of it.
 */
import type { EndAtEnqueue } from '../ending.js';
import { type Case, type Cause, cite, type Examination } from './cause.js';

function examine({ end: { enqueue } }: Case<EndAtEnqueue>): Examination {
  if (enqueue.acceptance !== 'refused') return { holds: false, because: 'Redis did not refuse it' };
  return {
    holds: true,
    because: `Redis refused it: ${enqueue.error}`,
    cites: [cite('enqueue', enqueue)],
  };
}

export const rejected: Cause<EndAtEnqueue> = {
  id: 'rejected',
  verdict: 'rejected',
  meaning: 'Redis refused the command that should have put it into its queue.',
  refutedBy: 'a later pop of it.',
  advice: 'See the error: out of memory, a read-only replica, missing permission, or a key of another type.',
  examine,
};
