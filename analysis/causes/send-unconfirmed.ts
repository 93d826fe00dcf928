/**
 * The connection ended before Redis' reply to the enqueue: it may have been done or not. Settled when the message pops later, or when the
 * same member is sent again and accepted (the client's retry): then it ends elsewhere. Settled the other way when, after the connection to Redis was
 * over, the queue is seen without it.
 *
 * On the wire: ZADD or EVAL without a reply.
 */
import type { EndAtEnqueue } from '../ending.js';
import { shownGone } from '../shown-gone.js';
import { type Case, type Cause, cite, type Examination } from './cause.js';

function examine({ end: { enqueue }, journey, queue, evidence }: Case<EndAtEnqueue>): Examination {
  const open = journey.enqueues.filter(({ acceptance }) => acceptance === 'unanswered');
  if (open.length === 0) return { holds: false, because: 'Redis answered the enqueue' };
  // Until both sides of its connection are closed, Redis may still have run it.
  const overUs = Math.max(
    ...open.map(
      ({ connection, repliedUs }) => repliedUs ?? evidence.connections.get(connection)?.endedUs ?? Infinity,
    ),
  );
  const gone = shownGone(journey, overUs, queue);
  const hidden = evidence.isHidden(queue.name, { fromUs: enqueue.requestedUs, toUs: evidence.endUs });
  if (!gone || hidden || open.length < journey.enqueues.length)
    return {
      holds: null,
      because: 'Redis did not answer the enqueue in this trace: it may have been done or not',
      otherwise: ['in-flight'],
    };
  return {
    holds: true,
    because: `connection ${enqueue.connection} ended before Redis answered the enqueue (operation ${enqueue.id}), and it never came to its queue or was lost there: ${gone.why}`,
    cites: [cite('enqueue', enqueue), cite('shown-gone', gone.mark)],
  };
}

export const sendUnconfirmed: Cause<EndAtEnqueue> = {
  id: 'send-unconfirmed',
  verdict: 'lost',
  meaning: 'The connection ended before Redis confirmed that the message was put into its queue.',
  refutedBy: 'the reply to the enqueue; a later pop of it; the same member sent again and accepted.',
  advice:
    'See why the connection ended: a time-out of the client, a restart of Redis, the network. The sender got an error for this send: it can send again, and a consumer must then bear a message that comes twice.',
  examine,
};
