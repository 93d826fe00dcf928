/**
 * channels_redis 2.0 to 2.2 pop with BLPOP and keep no backup: a message that is popped for a connection that is just closing is gone. From 2.3
 * on BRPOPLPUSH moves it to the backup in the same moment, and later versions back it up by a command of its own.
 *
 * On the wire: BLPOP returns m, and the client has closed that connection, or closes it and sends nothing more on it. Where the close
 * was read before the reply, nobody can have got it. Where it came after, the client may have read it just before: then it
 * takes a client that says it never came.
 */
import type { EndUnguarded } from '../ending.js';
import { type Case, type Cause, cite, type Examination, milliseconds, type PopConduct } from './cause.js';

function examine({ end: { pop }, evidence, missed, conduct }: Case<EndUnguarded>): Examination {
  const [after] = (conduct() as PopConduct).after;
  const connection = evidence.connections.get(pop.connection);
  const where = `connection ${pop.connection}`;
  if (after)
    return {
      holds: false,
      because: `operation ${after.id} was sent on ${where} after the reply, so the reply was read`,
    };
  const closedUs = connection?.closedUs ?? null;
  if (closedUs === null) return { holds: false, because: `${where} stayed open` };
  if (connection?.closedBy !== 'client' || connection.closedHow === 'error')
    return {
      holds: null,
      because: `${where} was closed by ${connection?.closedBy}, not by the client`,
      otherwise: ['delivered'],
    };
  const repliedUs = pop.repliedUs ?? pop.requestedUs;
  if (closedUs < repliedUs)
    return {
      holds: true,
      because: `the client had closed ${where} ${milliseconds(closedUs, repliedUs)} before Redis popped it with BLPOP, which keeps no backup`,
      cites: [cite('pop', pop)],
    };
  const closed = `the client closed ${where} ${milliseconds(repliedUs, closedUs)} after BLPOP had brought it, and sent nothing on it after the reply`;
  if (missed)
    return {
      holds: true,
      because: `${closed}; nothing kept a backup, and a client never got it`,
      cites: [cite('pop', pop)],
    };
  return { holds: null, because: `${closed}; it may have read it before`, otherwise: ['delivered'] };
}

export const listEraPop: Cause<EndUnguarded> = {
  id: 'list-era-pop',
  verdict: 'lost',
  meaning:
    'This version of the layer takes a message out of Redis and keeps no copy; the connection that took it was closed, and the message went down with it.',
  refutedBy:
    'a request on that connection after the reply; a recipient that got it; a close by Redis or the proxy first.',
  advice:
    'channels_redis 2.0 to 2.2 receive like this. 2.3 and 2.4 keep a backup of each message while it is received; versions from 3 on have other faults (popped-then-disconnected).',
  examine,
};
