/**
 * The queue of its process was full, so the message was never put there. channels_redis#131, #109.
 *
 * On the wire: the script of group_send returns how many of its queues were full, not which.
 */
import type { EndAtEnqueue } from '../ending.js';
import { type Case, type Cause, cite, type Examination } from './cause.js';

function examine({ end: { enqueue } }: Case<EndAtEnqueue>): Examination {
  switch (enqueue.acceptance) {
    case 'full':
      return {
        holds: true,
        because: `the script found every queue of this send full, so this one: operation ${enqueue.id}`,
        cites: [cite('enqueue', enqueue)],
      };
    case 'unsure':
      return {
        holds: null,
        because: 'the script says that some of its queues were full, not which: this one, or another',
        otherwise: ['in-flight'],
      };
    default:
      return { holds: false, because: 'the script does not say that a queue was full' };
  }
}

export const overCapacity: Cause<EndAtEnqueue> = {
  id: 'over-capacity',
  verdict: 'rejected',
  meaning: 'The queue of its process was full, so it was never put there.',
  refutedBy: 'a later pop of it.',
  advice:
    'One slow consumer fills the queue of its whole process. Raise `capacity`, or find the consumer that does not keep up.',
  examine,
};
