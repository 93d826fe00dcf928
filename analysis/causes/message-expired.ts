/**
 * The message was older than `expiry` when somebody sent to its queue again: each send first trims the queue of what is too old.
 *
 * On the wire: `ZREMRANGEBYSCORE K 0 t` returns n > 0, and the message's score is at most t. The score is the clock of its sender, t that of the
 * process that trims: where the two differ, a message is "too old" before its time, and that is said.
 */
import type { EndInQueue } from '../ending.js';
import { exitOf } from '../exit.js';
import type { Journey, QueueHistory } from '../journey.js';
import type { Trim } from '../upkeep.js';
import { type Case, type Cause, cite, type Examination } from './cause.js';
import { outranked } from './receiver-stalled.js';

/** Whole seconds are cut off on the way: less than this is no difference of clocks. */
const CLOCK_TOLERANCE_S = 2;

function examine(example: Case<EndInQueue>): Examination {
  const { queue, journey } = example;
  const { departures, ways, certain } = exitOf(example);
  const trims = departures.filter(({ how }) => how === 'trimmed').map(({ mark }) => mark as Trim);
  const [trim] = trims;
  if (!trim) return { holds: false, because: 'no trim that could have taken it removed anything' };
  const which = trims.map(({ id }) => id).join(' or ');
  if (!certain || ways.size > 1)
    return { holds: null, because: `operation ${which} (ZREMRANGEBYSCORE) may have trimmed it as too old` };
  const stalled = outranked(example);
  if (stalled) return stalled;
  return {
    holds: true,
    because: `operation ${which} (ZREMRANGEBYSCORE) removed ${trim.removed ?? 'some'} of the queue with a score of at most ${trim.upTo}, and its score is ${journey.enqueues.at(-1)?.score ?? 'lower'}${skew(trim, journey, queue)}`,
    cites: trims.map((mark) => cite('trim', mark)),
  };
}

/** What to say of the clocks. By the trace's one clock: how far each of the two was from it. */
function skew(trim: Trim, { enqueues }: Journey, { upkeep }: QueueHistory): string {
  const enqueue = enqueues.at(-1);
  const told = upkeep.findLast((each) => each.does === 'expire' && each.requestedUs <= trim.requestedUs);
  const expiry = enqueue?.expiry ?? (told?.does === 'expire' ? told.seconds : null);
  if (!enqueue || expiry === null) return '';
  const waited = (trim.requestedUs - enqueue.requestedUs) / 1e6;
  const ahead = trim.upTo + expiry - enqueue.score - waited;
  if (ahead <= CLOCK_TOLERANCE_S)
    return `: it had waited for ${waited.toFixed(1)} s, and messages live for ${expiry} s`;
  return `; yet it had waited for ${waited.toFixed(1)} s only, and messages live for ${expiry} s: the clock of its sender is ${ahead.toFixed(0)} s behind that of the process that trimmed, or that process has a shorter expiry`;
}

export const messageExpired: Cause<EndInQueue> = {
  id: 'message-expired',
  verdict: 'expired',
  meaning:
    'It waited in its queue for longer than `expiry`, and the next send to that queue threw it away as too old.',
  refutedBy: 'a pop of it after the trim; a trim that removed nothing; a score above what the trim removed.',
  advice:
    'Its process does not receive as fast as others send: find the slow consumer, or raise `expiry`. Where the clocks of two hosts differ, let them keep time (NTP).',
  examine,
};
