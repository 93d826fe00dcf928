/**
 * The subscribing connection of a process ended, and until the process had subscribed again on a new one it heard nothing.
 * `channels_redis.pubsub` waits a second before it tries (`await asyncio.sleep(1)` in `_do_receiving`); the sender sees no error.
 *
 * On the wire: the subscriber's connection ends; PUBLISH returns 0, or does not count it; a new connection subscribes, in one command, to
 * what was held on the old one. The channel of a consumer among these names shows that it is the same process.
 */
import type { EndAtConnection } from '../pubsub/ending.js';
import { howClosed } from '../pubsub/story.js';
import { cite, type Examination, milliseconds } from './cause.js';
import { outputBufferOverflow } from './output-buffer-overflow.js';
import type { PubSubCase, PubSubCause } from './pubsub-cause.js';

function examine(example: PubSubCase<EndAtConnection>): Examination {
  const { connection, closedUs, counted, successor, pending, subscription } = example.end;
  const { mark } = example.publication;
  if (outputBufferOverflow.examine(example).holds === true)
    return { holds: false, because: 'Redis closed the connection because it was not read' };
  const ended = howClosed(connection);
  if (!successor)
    return pending || connection.closedBy !== 'client'
      ? {
          holds: null,
          because: `${ended}, and the trace does not show that its process subscribed again`,
          otherwise: ['recipients-left'],
        }
      : { holds: false, because: `${ended}, and its process did not subscribe again` };
  const next = successor.subscription.asked;
  const gap = `${ended}; connection ${next.connection} subscribed to the same names (operation ${next.id}) ${milliseconds(closedUs, next.requestedUs)} later`;
  if (successor.doubt !== null)
    return { holds: null, because: `${gap}, but ${successor.doubt}`, otherwise: ['recipients-left'] };
  if (counted === false || connection.closedBy === 'client')
    return {
      holds: true,
      because: `${gap}, and the message (PUBLISH, operation ${mark.id}) came on neither`,
      cites: [cite('subscribe', subscription.asked), cite('publish', mark), cite('resubscribe', next)],
    };
  return { holds: null, because: `${gap}; PUBLISH may have counted the old one` };
}

export const resubscribeGap: PubSubCause<EndAtConnection> = {
  id: 'resubscribe-gap',
  verdict: 'lost',
  meaning:
    'A process lost its connection to Redis and heard nothing until it had subscribed again, a second or so later; what was published meanwhile is gone, for all its consumers.',
  refutedBy:
    'a push of the message on the old or the new connection; the new connection being confirmed before the PUBLISH; an UNSUBSCRIBE before the old one ended.',
  advice:
    'channels_redis.pubsub cannot get back what was published while it was not connected: 4.0.0 waits a second before it connects again, and takes an `on_reconnect` that it never calls. Find out who ends the connection: CLIENT KILL, a restart or failover of Redis, a proxy or firewall with an idle time-out (then `?health_check_interval=30` in the URL of the host helps). Let clients notice a missing count and ask again, or use channels_redis.core, which keeps messages while nobody is connected.',
  examine,
};
