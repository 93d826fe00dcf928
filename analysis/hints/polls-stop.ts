/**
 * A queue that was polled is not polled any more for longer than its poll's timeout, while messages wait in it for somebody who is
 * still there: a leaked receive lock, a loop that died, or consumers that are all busy. channels_redis#134, #86. Where messages
 * are lost by it the cause is receiver-stalled; this also tells of the stall that went well.
 *
 * Innocent: a queue in which nothing waits, a poll that is still outstanding, a process that has ended.
 */
import { operationOf } from '../finding.js';
import { seconds } from '../question.js';
import type { HintKind, HintMaterial } from './hint.js';
import type { UnpolledSpan } from './unpolled.js';

function look({ unpolled }: HintMaterial) {
  return unpolled()
    .filter(({ queue, waitedUs }) => queue.pollUs > 0 && waitedUs > queue.pollUs)
    .map(seenOf);
}

function seenOf({ queue, fromUs, toUs, last, next, open, waiting }: UnpolledSpan) {
  const n = waiting.length;
  return {
    seen: `Nobody polled queue ${queue.name} from ${seconds(fromUs)} to ${seconds(toUs)} (${((toUs - fromUs) / 1e6).toFixed(1)} s; its polls wait ${queue.pollUs / 1e6} s at most) while ${n} ${n === 1 ? 'message' : 'messages'} came and waited in it, and connection ${open} of its process was open.`,
    operations: [
      operationOf('last-receive', last),
      ...waiting.map((enqueue) => operationOf('enqueue', enqueue)),
      ...(next ? [operationOf('next-receive', next)] : []),
    ],
  };
}

export const pollsStop: HintKind = {
  id: 'polls-stop',
  advice:
    'See what the process did in that time: a consumer that blocks the event loop, a receive lock that was never let go, a loop that ended with an exception. Everything for its consumers waits meanwhile, and is lost when the queue expires or is full.',
  look,
};
