/**
 * A perfect wire: popped, backed up, acknowledged; and yet a client missed it. In-process queue overflow or an orphaned
 * buffer (BoundedQueue of channels_redis 3.1.0 on; channels_redis#212, #384, PR #426), the consumer, the WebSocket
 * server, or the client itself. Redis cannot tell which.
 */
import type { EndAcknowledged } from '../ending.js';
import type { Case, Cause, Examination } from './cause.js';

function examine({ missed }: Case<EndAcknowledged>): Examination {
  return missed
    ? {
        holds: true,
        because: 'it was popped, backed up and acknowledged, and yet a client missed it',
        cites: [],
      }
    : { holds: false, because: 'nobody says that it was missed' };
}

export const lostAfterRedis: Cause<EndAcknowledged> = {
  id: 'lost-after-redis',
  verdict: 'lost',
  meaning: 'Redis delivered it; it was lost after Redis.',
  refutedBy:
    'the message missing its backup or its acknowledgement, or the client having received it after all.',
  advice:
    'Look behind Redis: the layer drops the oldest messages of a consumer that falls behind its capacity (in-process buffer), a consumer may raise or be cancelled while it handles a message, the WebSocket may have been closing. Log in the consumer what it receives, with sender and count.',
  examine,
};
