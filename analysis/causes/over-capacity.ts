/**
 * The queue of its process was full, so the message was never put there. channels_redis#131, #109.
 *
 * On the wire: the script of group_send returns how many of its queues were full. Which ones is worked out from their capacities, in its arguments,
 * and from what each can have held (../fullness.ts). Of `send` see ../refused-sends.ts: there the message never reaches the wire.
 */
import type { EndAtEnqueue } from '../ending.js';
import { shownGone } from '../shown-gone.js';
import { type Case, type Cause, cite, type Examination } from './cause.js';
import { outranked } from './receiver-stalled.js';

function examine(example: Case<EndAtEnqueue>): Examination {
  const { enqueue } = example.end;
  if (enqueue.acceptance !== 'full' && enqueue.acceptance !== 'unsure')
    return { holds: false, because: 'the script does not say that a queue was full' };
  const why =
    enqueue.acceptance === 'full'
      ? `the script found every queue of this send full, so this one: operation ${enqueue.id}`
      : whyThisOne(example);
  if (why === null)
    return {
      holds: null,
      because: `the script says that ${enqueue.full} of its queues were full, not which: this one, or another`,
      otherwise: ['in-flight'],
    };
  const stalled = outranked(example);
  if (stalled) return stalled;
  return { holds: true, because: why, cites: [cite('enqueue', enqueue)] };
}

/** Why it was this of the script's queues; null where the trace does not decide it. */
function whyThisOne({ end: { enqueue }, journey, queue, evidence }: Case<EndAtEnqueue>): string | null {
  const fullness = evidence.fullQueues.of(enqueue);
  const said = `the script found ${enqueue.full} of its ${fullness?.queues} queues full (operation ${enqueue.id})`;
  if (fullness?.was === 'full')
    return fullness.bounds.atLeast >= (enqueue.capacity ?? Number.POSITIVE_INFINITY)
      ? `${said}; this one held at least ${fullness.bounds.atLeast} messages then, and its capacity is ${enqueue.capacity}`
      : `${said}, and every other that it could have been had room`;
  const afterwards = { fromUs: enqueue.requestedUs, toUs: evidence.endUs };
  if (!fullness || evidence.holesHidingPops(journey, afterwards).next().done === false) return null;
  // Had it been put there, it would have come before what came; unless something took it out.
  const gone = shownGone(journey, enqueue.repliedUs ?? enqueue.requestedUs, queue);
  if (!gone) return null;
  const shownUs = gone.mark.repliedUs ?? gone.mark.requestedUs;
  return evidence.models.of(queue.name).departuresOf(journey, shownUs).length === 0
    ? `${said}; had it been put into this one, it would have been popped: ${gone.why}`
    : null;
}

export const overCapacity: Cause<EndAtEnqueue> = {
  id: 'over-capacity',
  verdict: 'rejected',
  meaning:
    'The queue of its process was full, so it was never put there. channels_redis does not raise for that in group_send, and few callers look at the ChannelFull of send.',
  refutedBy: 'a later pop of it; a queue that held less than its capacity.',
  advice:
    'One slow consumer fills the queue of its whole process. Find the consumer that does not keep up, or raise `capacity` (the default is 100); catch ChannelFull where you call send.',
  examine,
};
