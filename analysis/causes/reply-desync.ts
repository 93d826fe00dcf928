/**
 * A cancelled command leaves its reply unread; the connection goes back to the pool, and every later reply is read by the
 * wrong caller: a popped message is read by a caller that expects something else and throws it away. redis-py 4.4.0 to
 * 4.5.3. redis-py#2624, #2665, channels_redis#348.
 *
 * On the wire: a request is read before the reply to an earlier one was handed to the client, on a connection that was
 * serial until then. Only losing pops inside such an episode are this cause, even if the client closes afterwards.
 * What an episode is, and what does not count, is in ../out-of-step.ts.
 */
import type { EndAtPop } from '../ending.js';
import type { Case, Cause, Examination, PopConduct } from './cause.js';
import { cite } from './cause.js';
import { perhapsMisread } from './sent-too-early.js';

function examine({ end, conduct }: Case<EndAtPop>): Examination {
  const { pop, next } = end;
  const conducted = conduct() as PopConduct;
  const { episode } = conducted;
  if (!episode) {
    const misread = perhapsMisread(pop, conducted);
    return misread
      ? { holds: null, because: misread }
      : {
          holds: false,
          because: `each request on connection ${pop.connection} was sent after the reply to the one before it`,
        };
  }
  const until =
    episode.endId === null
      ? 'until it closed'
      : `until operation ${episode.endId}, where a receive cycle matched again`;
  return {
    holds: true,
    because: `connection ${pop.connection} was out of step: operation ${episode.overlapId} was sent on it before the reply to operation ${episode.owedId} had reached the client, and from operation ${episode.firstId} ${until} replies were read by the wrong callers; this pop's reply was one of them`,
    cites: [
      cite('pop', pop),
      { role: 'reply-owed', id: episode.owedId, key: null },
      { role: 'sent-too-early', id: episode.overlapId, key: null },
      cite('next-receive', next),
      ...(episode.endId === null ? [] : [{ role: 'in-step-again', id: episode.endId, key: null }]),
    ],
  };
}

export const replyDesync: Cause<EndAtPop> = {
  id: 'reply-desync',
  verdict: 'lost',
  meaning:
    'A cancelled command left its reply unread on a Redis connection that went back to the pool; from then on every reply on it was read by the wrong caller, and this message was read by one that threw it away.',
  refutedBy:
    'the connection having sent each request only after the reply to the one before it (handshakes, MULTI and pipelines aside); a client that sends several requests at once and keeps them apart; or a backup of the message before the next receive step.',
  advice:
    'redis-py 4.4.0 to 4.5.3 do this; leave these versions (redis-py#2624, #2665). redis-py 5 closes the connection of a cancelled command instead, which leaves popped-then-disconnected.',
  examine,
};
