/**
 * The consumer that holds the receive lock is cancelled (its WebSocket closed) around its BZPOPMIN. Redis has popped the
 * message, the cancelled client closes the connection, nobody backs it up. channels_redis 3.0 to 4.3 with aioredis
 * 1.3, redis-py 4.3, 5.x and 8.x. The message of django/channels#1683.
 *
 * On the wire: BZPOPMIN returns m; the client closes that connection with no request on it after the reply. The
 * close comes before the queue's next receive step, because the lock is let go only then. Closes and requests on different
 * connections are read in no certain order, so a close that overlaps that step counts too.
 */
import type { EndAtPop } from '../ending.js';
import type { Case, Cause, Examination, PopConduct } from './cause.js';
import { cite, milliseconds, pollsBetween } from './cause.js';
import { perhapsDesynced } from './sent-too-early.js';

/** A receive cycle that went on this often while the connection stayed open was not waiting for its close. */
export const POLLS_THAT_SHOW_IT_STAYED_OPEN = 2;

function examine(example: Case<EndAtPop>): Examination {
  const { end, evidence, conduct } = example;
  const { pop, next } = end;
  const { after, episode, perhapsSince } = conduct() as PopConduct;
  const connection = evidence.connections.get(pop.connection);
  if (episode) return { holds: false, because: `connection ${pop.connection} was out of step` };
  if (after[0])
    return {
      holds: false,
      because: `operation ${after[0].id} was sent on connection ${pop.connection} after the reply`,
    };
  if (perhapsSince) return { holds: null, because: perhapsDesynced(pop, perhapsSince) };
  const closed = connection?.closedUs ?? null;
  const polls = pollsBetween(end, example, closed ?? evidence.endUs);
  if (polls >= POLLS_THAT_SHOW_IT_STAYED_OPEN)
    return {
      holds: false,
      because: `connection ${pop.connection} stayed open for ${polls} more polls of the queue`,
    };
  if (!connection || closed === null)
    return {
      holds: null,
      because: `connection ${pop.connection} was still open when the trace ended, soon after`,
    };
  if (connection.closedBy !== 'client' || connection.closedHow === 'error')
    return {
      holds: null,
      because: `connection ${pop.connection} was closed by ${connection.closedBy} (${connection.closedDetail ?? connection.closedHow}), not by the client`,
    };
  const repliedUs = pop.repliedUs ?? pop.requestedUs;
  if (closed <= (next.repliedUs ?? next.requestedUs)) {
    const when =
      closed < repliedUs
        ? `had closed connection ${pop.connection} ${milliseconds(closed, repliedUs)} before the reply was read from Redis`
        : `closed connection ${pop.connection} (${connection.closedHow}) ${milliseconds(repliedUs, closed)} after the reply was read from Redis`;
    return {
      holds: true,
      because: `the client ${when}, and sent nothing on it after the reply`,
      cites: [cite('pop', pop), cite('next-receive', next)],
    };
  }
  return {
    holds: null,
    because: `the client closed connection ${pop.connection} ${milliseconds(next.requestedUs, closed)} after the next receive step had begun`,
  };
}

export const poppedThenDisconnected: Cause<EndAtPop> = {
  id: 'popped-then-disconnected',
  verdict: 'lost',
  meaning:
    'A consumer was cancelled, because its WebSocket closed, while it was receiving for all consumers of its process; Redis had already popped the message, and it went down with the connection.',
  refutedBy:
    'a backup (ZADD of the message to $inflight) on any connection before the next receive step; a request on that connection after the reply; a later pop of the same message; or a close by Redis or the proxy first.',
  advice:
    'The core layer of channels_redis 3.0 to 4.3 does this with every Redis client but those that do something worse (redis-py 4.4 and 4.5), so another version does not cure it. What helps: clients that notice a missing count and ask again; channels_redis.pubsub, where its own limits suit you; or a receive that a closing WebSocket does not cancel, and whose result is handed on.',
  examine,
};
