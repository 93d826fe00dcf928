/**
 * The process lives and no longer receives: a leaked receive lock, a dead event loop, a consumer that is busy for minutes. Its queue grows until it
 * is full, or until what waits in it expires. channels_redis#134, #86. It is the root of such losses and outranks over-capacity,
 * message-expired and queue-expired, which answer false where it holds.
 *
 * On the wire: no BZPOPMIN of K for longer than its timeout, while connections of the process that polls K stay open. A poll that waits is
 * no silence; nor is a process that is gone.
 */
import { type EndAtEnqueue, type EndInQueue, holeText } from '../ending.js';
import type { Evidence } from '../evidence.js';
import { exitOf } from '../exit.js';
import type { QueueHistory } from '../journey.js';
import { seconds } from '../moment.js';
import type { Stall } from '../readers.js';
import { type Case, type Cause, cite, type Examination } from './cause.js';

/** The stall that this end comes from, if any: seen without a hole. */
function stallBehind(example: Case<EndAtEnqueue> | Case<EndInQueue>): Stall | null {
  const stall = seemingStall(example);
  return stall && !hiddenPoll(example, stall) ? stall : null;
}

function seemingStall(example: Case<EndAtEnqueue> | Case<EndInQueue>): Stall | null {
  const atUs = momentOf(example);
  return atUs === null ? null : example.evidence.readers.stallAt(example.queue, atUs);
}

/** When the queue was full, or the message was too old. */
function momentOf(example: Case<EndAtEnqueue> | Case<EndInQueue>): number | null {
  const { end } = example;
  return end.at === 'enqueue' ? end.enqueue.requestedUs : expiredUs(example as Case<EndInQueue>);
}

/** Why a stall is possible that is not seen: the last poll, or who polled, may be in a hole. Null where there was none for certain. */
export function perhapsStalled(queue: QueueHistory, atUs: number, evidence: Evidence): string | null {
  if (!evidence.readers.silentAt(queue, atUs)) return null;
  const [hole] = evidence.holesHiding(queue.name, { fromUs: 0, toUs: atUs });
  return hole
    ? `whether its process still received is not known, for no poll is seen around then: ${holeText(hole)}`
    : null;
}

function hiddenPoll({ queue, evidence }: Case<EndAtEnqueue> | Case<EndInQueue>, stall: Stall) {
  const [hole] = evidence.holesHiding(queue.name, stall);
  return hole;
}

function expiredUs(example: Case<EndInQueue>): number | null {
  const { departures } = exitOf(example);
  return departures.find(({ how }) => how === 'trimmed' || how === 'expired')?.fromUs ?? null;
}

/** What a cause that a stall outranks answers for it; null where there was none. A hole may hide a poll, and so which of them it is. */
export function outranked(example: Case<EndAtEnqueue> | Case<EndInQueue>): Examination | null {
  const stall = seemingStall(example);
  if (!stall) {
    const atUs = momentOf(example);
    const perhaps = atUs === null ? null : perhapsStalled(example.queue, atUs, example.evidence);
    return perhaps === null ? null : { holds: null, because: perhaps };
  }
  const hole = hiddenPoll(example, stall);
  if (hole) return { holds: null, because: `${silence(stall)}, as far as is known: ${holeText(hole)}` };
  return {
    holds: false,
    because: `its process had stopped to receive (receiver-stalled): it did not poll the queue from ${seconds(stall.fromUs)} to ${seconds(stall.toUs)}`,
  };
}

function examine(example: Case<EndAtEnqueue | EndInQueue>): Examination {
  const { end, queue, evidence, journey } = example;
  const stall = stallBehind(example as Case<EndInQueue>);
  if (end.at === 'enqueue') {
    const full = end.enqueue.acceptance === 'full' || evidence.fullQueues.of(end.enqueue)?.was === 'full';
    if (!full) return { holds: false, because: 'its queue is not known to have been full' };
  } else {
    const { ways, certain } = exitOf(example as Case<EndInQueue>);
    if (ways.size === 0) return stillWaiting(example as Case<EndInQueue>);
    if (!certain || [...ways].some((way) => way !== 'trimmed' && way !== 'expired'))
      return { holds: false, because: 'it is not certain that it waited until it expired' };
  }
  if (!stall)
    return outranked(example as Case<EndInQueue>) ?? { holds: false, because: 'its queue was polled' };
  if (evidence.present(journey.payload.recipients, stall.toUs)?.length === 0)
    return { holds: false, because: 'nobody it was for was there any more' };
  const what = end.at === 'enqueue' ? 'its queue was full' : 'it waited in its queue until it expired';
  return {
    holds: true,
    because: `${what}, because ${silence(stall)}`,
    cites: [cite('last-receive', stall.last)],
  };

  function stillWaiting(waiting: Case<EndInQueue>): Examination {
    const now = evidence.readers.stallAt(queue, evidence.endUs);
    if (!now || now.toUs <= waiting.end.sinceUs) {
      const perhaps = now ? null : perhapsStalled(queue, evidence.endUs, evidence);
      if (perhaps === null) return { holds: false, because: 'its queue was polled' };
      return {
        holds: null,
        because: `it still waits in its queue, and ${perhaps}`,
        otherwise: ['in-flight'],
      };
    }
    return { holds: null, because: `it still waits in its queue: ${silence(now)}`, otherwise: ['in-flight'] };
  }
}

export function silence({ fromUs, toUs, last, open }: Stall): string {
  return `nobody polled the queue for ${((toUs - fromUs) / 1e6).toFixed(1)} s after operation ${last.id}, from ${seconds(fromUs)} to ${seconds(toUs)}, while connection ${open} of the process that reads it stayed open`;
}

export const receiverStalled: Cause<EndAtEnqueue | EndInQueue> = {
  id: 'receiver-stalled',
  verdict: 'lost',
  meaning:
    'The process that reads this queue was alive and had stopped to receive, so messages piled up in the queue until they were refused or too old.',
  refutedBy:
    'a poll of the queue in that time, on any connection; a poll that was waiting all the while; all connections of the process being closed.',
  advice:
    'See what that process did then: a consumer that blocks the event loop (a database call without sync_to_async, a sleep), or one that awaits for long in its handler; or a receive lock that was leaked (channels_redis#134, #86: upgrade channels_redis). A larger capacity or expiry only delays the loss.',
  examine,
};
