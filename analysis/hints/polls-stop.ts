/**
 * A queue that was polled is not polled any more for longer than its poll's timeout, while messages wait in it for somebody who is
 * still there: a leaked receive lock, a loop that died, or consumers that are all busy. channels_redis#134, #86.
 *
 * Innocent: a queue in which nothing waits, a poll that is still outstanding, a process that has ended.
 */

import { isBlocking } from '../audit/interrupted.js';
import { operationOf } from '../finding.js';
import { seconds } from '../question.js';
import type { HintKind, HintMaterial } from './hint.js';
import { type UnpolledSpan, unpolledSpans } from './unpolled.js';

function look({ evidence, trace }: HintMaterial) {
  return unpolledSpans(evidence).flatMap((span) => {
    const timeoutUs = pollTimeoutUs(span, trace);
    return timeoutUs !== null && span.waitedUs > timeoutUs ? [seenOf(span, timeoutUs)] : [];
  });
}

/** The timeout of the queue's polls, microseconds; null where it waits for ever, or none is known. */
function pollTimeoutUs({ queue }: UnpolledSpan, trace: HintMaterial['trace']): number | null {
  const poll = queue.receives.find(isBlocking);
  const timeout = Number(poll && trace.operation(poll.id)?.args.at(-1)?.toString('latin1'));
  return timeout > 0 ? timeout * 1e6 : null;
}

function seenOf({ queue, fromUs, toUs, last, next, waiting }: UnpolledSpan, timeoutUs: number) {
  const n = waiting.length;
  return {
    seen: `Nobody polled queue ${queue.name} from ${seconds(fromUs)} to ${seconds(toUs)} (${((toUs - fromUs) / 1e6).toFixed(1)} s; its polls wait ${timeoutUs / 1e6} s at most) while ${n} ${n === 1 ? 'message' : 'messages'} waited in it and connections that poll it were open.`,
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
