/**
 * A cancelled BZPOPMIN goes on, shielded by the client library, and takes a message that nobody waits for any more.
 * redis-py 4.4.4 and 4.5.4 shield commands from cancellation. channels_redis#366.
 *
 * On the wire: BZPOPMIN returns m; the connection stays open and in step; the queue's receive cycle goes on, there or
 * elsewhere, without m. Two polls of the queue outstanding at once strengthen it and are not required.
 */
import type { EndAtPop } from '../ending.js';
import type { Case, Cause, Examination, PopConduct } from './cause.js';
import { cite, milliseconds, pollsBetween } from './cause.js';
import { POLLS_THAT_SHOW_IT_STAYED_OPEN } from './popped-then-disconnected.js';
import { perhapsMisread } from './sent-too-early.js';

function examine(example: Case<EndAtPop>): Examination {
  const { end, evidence } = example;
  const { pop, next } = end;
  const conduct = example.conduct() as PopConduct;
  if (conduct.episode) return { holds: false, because: `connection ${pop.connection} was out of step` };
  const misread = perhapsMisread(pop, conduct);
  if (misread) return { holds: null, because: misread };
  const connection = evidence.connections.get(pop.connection);
  const closed = connection?.closedUs ?? null;
  const polls = pollsBetween(end, example, closed ?? evidence.endUs);
  const [request] = conduct.after;
  const repliedUs = pop.repliedUs ?? pop.requestedUs;
  if (!request && polls < POLLS_THAT_SHOW_IT_STAYED_OPEN)
    return closed !== null && closed <= (next.repliedUs ?? next.requestedUs)
      ? {
          holds: false,
          because: `connection ${pop.connection} was closed before the queue's next receive step`,
        }
      : {
          holds: null,
          because: `connection ${pop.connection} was still open when the queue's next receive step began`,
        };
  const proof = request
    ? `was used again ${milliseconds(repliedUs, request.requestedUs)} after the reply (${request.command}, operation ${request.id})`
    : `stayed open while the queue was polled ${polls} more times`;
  // One of the two had nobody waiting.
  const both = evidence.polls(example.queue).overlapping(pop);
  return {
    holds: true,
    because: `connection ${pop.connection} stayed open and in step (it ${proof}): whoever sent this BZPOPMIN no longer waited for its reply${both ? `; another poll of the queue (operation ${both.id}) was outstanding at the same time` : ''}`,
    cites: [
      cite('pop', pop),
      cite('next-receive', next),
      ...(request ? [{ role: 'connection-used-again', id: request.id, key: null }] : []),
      ...(both ? [cite('overlapping-poll', both)] : []),
    ],
  };
}

export const strayPop: Cause<EndAtPop> = {
  id: 'stray-pop',
  verdict: 'lost',
  meaning:
    'A consumer was cancelled while it waited for a message, but its Redis client went on waiting in its place; the next message went to that forgotten wait, and nobody read it.',
  refutedBy:
    'a backup (ZADD of the message to $inflight) on any connection before the next receive step; a later pop of the same message; the connection closing before the next receive step; or replies on it going to the wrong requests.',
  advice:
    'redis-py 4.4.4 and 4.5.4 shield commands from cancellation and do this; leave these versions. Any client or code that shields the receive from cancellation must hand its result on (channels_redis#366).',
  examine,
};
