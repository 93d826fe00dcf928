/**
 * Nobody sent to the queue for `expiry` seconds, and nobody took out what waited in it: Redis lets the whole key die, with every message in it.
 * No operation shows it.
 *
 * On the wire: the last `EXPIRE K` (group_send's is implied by its script), no pop of the message for that long, and no later one that set the time
 * anew; then polls that find the queue empty.
 */
import type { EndInQueue } from '../ending.js';
import { exitOf } from '../exit.js';
import { seconds } from '../moment.js';
import { type Case, type Cause, cite, type Examination } from './cause.js';
import { outranked } from './receiver-stalled.js';

function examine(example: Case<EndInQueue>): Examination {
  const { departures, ways, certain } = exitOf(example);
  const death = departures.find(({ how }) => how === 'expired');
  if (!death) return { holds: false, because: "the queue's time to live did not run out" };
  const told = `operation ${death.mark.id} set the queue's time to live, nothing set it anew, and it ran out at about ${seconds(death.byUs)}`;
  if (!certain || ways.size > 1) return { holds: null, because: told };
  const stalled = outranked(example);
  if (stalled) return stalled;
  const { gone } = example.end;
  return {
    holds: true,
    because: `${told}${gone ? `; ${gone.why}` : ''}`,
    cites: [cite('time-to-live', death.mark), ...(gone ? [cite('shown-gone', gone.mark)] : [])],
  };
}

export const queueExpired: Cause<EndInQueue> = {
  id: 'queue-expired',
  verdict: 'expired',
  meaning:
    'Nobody received from its queue for `expiry` seconds and nobody sent to it either, so Redis dropped the queue with all that waited in it.',
  refutedBy: 'a pop of it; an EXPIRE of the queue, or another send to it, before its time ran out.',
  advice:
    'Its process did not receive for as long as `expiry`. See why no consumer of that process was receiving; raise `expiry` if such pauses are meant.',
  examine,
};
