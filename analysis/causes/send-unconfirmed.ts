/**
 * The connection ended before Redis' reply to the enqueue: it may have been done or not. Settled when the message pops later; the
 * same message sent again is the client's retry.
 *
 * On the wire: ZADD or EVAL without a reply.
 */
import type { EndAtEnqueue } from '../ending.js';
import type { Case, Cause, Examination } from './cause.js';

function examine({ end: { enqueue } }: Case<EndAtEnqueue>): Examination {
  return enqueue.acceptance === 'unanswered'
    ? {
        holds: null,
        because: 'Redis did not answer the enqueue in this trace: it may have been done or not',
        otherwise: ['in-flight'],
      }
    : { holds: false, because: 'Redis answered the enqueue' };
}

export const sendUnconfirmed: Cause<EndAtEnqueue> = {
  id: 'send-unconfirmed',
  verdict: 'indeterminate',
  meaning: 'The connection ended before Redis confirmed that the message was put into its queue.',
  refutedBy: 'the reply to the enqueue; a later pop of it.',
  advice:
    'Redis may have it or not. See why the connection ended: a time-out of the client, a restart of Redis, the network.',
  examine,
};
