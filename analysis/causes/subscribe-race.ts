/**
 * The message was published while a process was subscribing. `group_add` of the pub/sub layer returns when SUBSCRIBE has been
 * sent, not when Redis has confirmed it, and PUBLISH goes out on another connection: Redis may take the PUBLISH first. So a
 * consumer can join a group and miss what is sent to it right after.
 *
 * On the wire: SUBSCRIBE and PUBLISH overlap; the subscription is confirmed, and the message did not come there. What came first for
 * the application, the trace cannot tell, so this is a loss only where a client says that it missed the message.
 */
import { holeText } from '../ending.js';
import type { EndAtNobody, EndReached } from '../pubsub/ending.js';
import { cite, type Examination } from './cause.js';
import type { PubSubCase, PubSubCause } from './pubsub-cause.js';

function examine({
  publication: { mark },
  end,
  missed,
  sameElsewhere,
}: PubSubCase<EndAtNobody | EndReached>): Examination {
  const [racer] = end.racers;
  if (!racer)
    return missed && end.at === 'nobody' && end.hidden
      ? { holds: null, because: `somebody may have been subscribing meanwhile: ${holeText(end.hidden)}` }
      : { holds: false, because: 'nobody was subscribing meanwhile' };
  const { asked, connection } = racer;
  if (asked.repliedUs === null && (missed || end.at === 'nobody'))
    return {
      holds: null,
      because: `connection ${connection} had asked for the channel (SUBSCRIBE, operation ${asked.id}), and a hole may hide when Redis confirmed it`,
      otherwise: ['recipients-left'],
    };
  const because = `connection ${connection} had asked for the channel (SUBSCRIBE, operation ${asked.id}) and Redis confirmed it only after it had taken the PUBLISH (operation ${mark.id})`;
  if (missed)
    return end.at === 'nobody' && !sameElsewhere
      ? { holds: true, because, cites: [cite('publish', mark), cite('subscribe', asked)] }
      : { holds: null, because };
  return end.at === 'nobody' && asked.requestedUs < mark.requestedUs
    ? {
        holds: null,
        because: `${because}; which of them the application meant to come first is not known`,
        otherwise: ['recipients-left'],
      }
    : { holds: false, because: 'nobody says that it was missed' };
}

export const subscribeRace: PubSubCause<EndAtNobody | EndReached> = {
  id: 'subscribe-race',
  verdict: 'not-addressed',
  meaning:
    'A consumer was just joining: its process had asked Redis for the group, and Redis passed the message on before it confirmed that.',
  refutedBy:
    'the confirmation of SUBSCRIBE before the PUBLISH was asked for; a push of the message on that connection.',
  advice:
    '`group_add` of channels_redis.pubsub (4.0.0 and before) does not wait for the confirmation of Redis. Do not rely on what is sent to a group right after joining it: send the state at the moment of joining to the client directly, from the consumer, or let the new consumer wait for a message of its own before it counts on others.',
  examine,
};
