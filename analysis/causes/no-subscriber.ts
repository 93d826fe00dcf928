/**
 * Nobody was subscribed when the message was published. With pub/sub nothing waits in Redis, so it is gone. Where everybody
 * has left a group that is as it should be: it is a loss only where a client says that it missed the message.
 *
 * On the wire: PUBLISH returns 0, and no subscription was being asked for meanwhile.
 */
import { holeText } from '../ending.js';
import type { EndAtNobody } from '../pubsub/ending.js';
import { cite, type Examination } from './cause.js';
import type { PubSubCase, PubSubCause } from './pubsub-cause.js';

function examine({
  publication: { mark },
  end: { racers, hidden },
  missed,
  sameElsewhere,
}: PubSubCase<EndAtNobody>): Examination {
  if (!missed) return { holds: false, because: 'nobody says that it was missed' };
  const [racer] = racers;
  if (racer)
    return racer.asked.repliedUs === null
      ? {
          holds: null,
          because: `connection ${racer.connection} had asked to be subscribed, and a hole may hide when Redis confirmed it`,
        }
      : { holds: false, because: `connection ${racer.connection} had asked to be subscribed` };
  const because = `PUBLISH (operation ${mark.id}) returned 0: nobody was subscribed, and a client missed it`;
  if (hidden)
    return {
      holds: null,
      because: `${because}; but somebody may have been asking to be subscribed: ${holeText(hidden)}`,
    };
  return sameElsewhere
    ? { holds: null, because: `${because}; but it was published elsewhere, too` }
    : { holds: true, because, cites: [cite('publish', mark)] };
}

export const noSubscriber: PubSubCause<EndAtNobody> = {
  id: 'no-subscriber',
  verdict: 'not-addressed',
  meaning:
    'Nobody was subscribed to the group or channel when the message was published; the pub/sub layer keeps nothing for those who come later.',
  refutedBy: 'a reply of PUBLISH above 0; a push of the message on any connection.',
  advice:
    'See whether the consumer had joined the group (`await group_add`) before the message was sent, whether sender and receiver use the same Redis, `prefix` and group name, and whether the process lost its connection to Redis. With several `hosts`, all processes need the same list in the same order. Where messages must wait for those who come later, use channels_redis.core, or let clients ask again.',
  examine,
};
