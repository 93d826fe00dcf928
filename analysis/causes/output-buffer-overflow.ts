/**
 * A process read its messages from Redis too slowly. Redis keeps what a subscriber has not read yet in memory; above
 * `client-output-buffer-limit pubsub` (32 MB, or 8 MB for a minute, unless set) it closes the connection and throws that away.
 *
 * On the wire: Redis closes the subscriber first; PUBLISH counted it; the message was never handed to the client; and what came before
 * came late, because the client took it slowly (the proxy reads no faster than the client, so Redis feels it). A connection that
 * was cut for another reason (CLIENT KILL, a restart, an idle time-out) looks alike, but for the lateness.
 */
import type { EndAtConnection } from '../pubsub/ending.js';
import { cite, type Examination, milliseconds } from './cause.js';
import type { PubSubCase, PubSubCause } from './pubsub-cause.js';

/** Other connections that Redis closes this soon before or after point to Redis itself: it stopped, or cut them all. */
const TOGETHER_US = 50_000;

function examine({ publication: { mark }, end, evidence }: PubSubCase<EndAtConnection>): Examination {
  const { connection, closedUs, counted, lateUs, kill, subscription } = end;
  if (connection.closedBy !== 'redis')
    return { holds: false, because: `connection ${connection.id} was not closed by Redis first` };
  if (counted === false)
    return {
      holds: false,
      because: `PUBLISH (operation ${mark.id}) did not count connection ${connection.id}`,
    };
  const because = `Redis closed connection ${connection.id} (${connection.closedHow}) ${milliseconds(mark.repliedUs ?? mark.requestedUs, closedUs)} after it had answered the PUBLISH, and the message was never handed over there`;
  if (lateUs === 0) return { holds: null, because: `${because}; nothing shows that the client read slowly` };
  if (counted === null)
    return { holds: null, because: `${because}; whether PUBLISH counted it is not known` };
  if (kill) return { holds: null, because: `${because}; but operation ${kill.id} is a CLIENT KILL` };
  const closedToo = [...evidence.connections.values()].find(
    (other) =>
      other.id !== connection.id &&
      other.closedBy === 'redis' &&
      Math.abs((other.closedUs ?? Number.POSITIVE_INFINITY) - closedUs) <= TOGETHER_US,
  );
  if (closedToo)
    return {
      holds: null,
      because: `${because}; but Redis closed connection ${closedToo.id} at that moment, too`,
    };
  return {
    holds: true,
    because: `${because}; the last message that did come was ${(lateUs / 1000).toFixed(0)} ms late, because the client did not read`,
    cites: [cite('publish', mark), cite('subscribe', subscription.asked)],
  };
}

export const outputBufferOverflow: PubSubCause<EndAtConnection> = {
  id: 'output-buffer-overflow',
  verdict: 'lost',
  meaning:
    'A process did not read its messages from Redis as fast as they came; Redis gave it up, closed its connection, and threw away what had not been read.',
  refutedBy:
    'a push of the message on that connection, handed to the client; a close by the client first; PUBLISH not counting it; other connections that Redis closed at the same moment.',
  advice:
    'See why the process did not read: a blocked event loop (a synchronous call in an async consumer), too much work for one process, a stopped container. The log of Redis says "scheduled to be closed ASAP for overcoming of output buffer limits". `client-output-buffer-limit pubsub` can be raised; more processes, or smaller and fewer messages, cure it.',
  examine,
};
