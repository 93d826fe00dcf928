/**
 * A perfect wire: popped, backed up, acknowledged (or published, and handed to every subscriber); and yet a client missed it. In-process queue overflow or an orphaned
 * buffer (BoundedQueue of channels_redis 3.1.0 on; channels_redis#212, #384, PR #426), the consumer, the WebSocket
 * server, or the client itself. Redis cannot tell which.
 */
import type { EndAcknowledged, EndUnguarded } from '../ending.js';
import { overtakenBackup } from '../overtaken-backup.js';
import type { EndReached } from '../pubsub/ending.js';
import type { Case, Cause, Examination, Meaning } from './cause.js';
import { listEraPop } from './list-era-pop.js';
import type { PubSubCase, PubSubCause } from './pubsub-cause.js';
import { wrongProcess } from './wrong-process.js';

function examine(example: Case<EndAcknowledged | EndUnguarded>): Examination {
  const { end, missed, journey, queue, evidence } = example;
  if (end.at === 'acknowledge' && overtakenBackup(journey, queue, evidence))
    return { holds: false, because: 'the acknowledgement was not its own' };
  if (!missed) return { holds: false, because: 'nobody says that it was missed' };
  const before =
    end.at === 'acknowledge'
      ? wrongProcess.examine({ ...example, end })
      : listEraPop.examine({ ...example, end });
  if (before.holds === true) return { holds: false, because: before.because };
  const wire =
    end.at === 'acknowledge' ? 'popped, backed up and acknowledged' : 'popped, and its connection went on';
  if (before.holds === null)
    return { holds: null, because: `it was ${wire}, maybe by the process of its recipient` };
  return { holds: true, because: `it was ${wire}, and yet a client missed it`, cites: [] };
}

/** Redis cannot tell what came after it; whom it did not count, and whose connections the trace does not show, may have missed it too. */
function examinePush({
  end: { hearings, astray, racers, strangers },
  missed,
  sameElsewhere,
}: PubSubCase<EndReached>): Examination {
  if (!missed) return { holds: false, because: 'nobody says that it was missed' };
  const because = `it was handed to ${hearings.length} ${hearings.length === 1 ? 'subscriber' : 'subscribers'}, and yet a client missed it`;
  if (astray > 0) return { holds: null, because: `${because}; ${astray} more had gone without it` };
  if (strangers > 0)
    return {
      holds: null,
      because: `${because}; Redis counted ${strangers} more, whose connections the trace does not show`,
    };
  if (sameElsewhere) return { holds: null, because: `${because}; it was published elsewhere, too` };
  return racers.length > 0 ? { holds: null, because } : { holds: true, because, cites: [] };
}

const MEANING: Meaning = {
  id: 'lost-after-redis',
  verdict: 'lost',
  meaning: 'Redis delivered it; it was lost after Redis.',
  refutedBy:
    'the message missing its backup, its acknowledgement or, with pub/sub, its push; or the client having received it after all.',
  advice:
    'Look behind Redis: the layer drops the oldest messages of a consumer that falls behind its capacity (in-process buffer), a consumer may raise or be cancelled while it handles a message, the WebSocket may have been closing. Log in the consumer what it receives, with sender and count.',
};

export const lostAfterRedis: Cause<EndAcknowledged | EndUnguarded> = { ...MEANING, examine };

/** The same, of the pub/sub layer. */
export const lostAfterPush: PubSubCause<EndReached> = { ...MEANING, examine: examinePush };
