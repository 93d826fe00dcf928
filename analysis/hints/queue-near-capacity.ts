/**
 * A queue was filled to four fifths of its capacity or more: the next slow consumer of its process, and messages are refused.
 *
 * The depth is what `ZCOUNT K` answered to a `send`, or what the queue held for certain when a message was put there (../queue-model.ts). The
 * capacity is in the script of group_send.
 */
import { operationOf } from '../finding.js';
import { seconds } from '../question.js';
import { isNear } from './filling.js';
import type { HintKind, HintMaterial } from './hint.js';

function look({ evidence, fullest }: HintMaterial) {
  return [...evidence.journeys.queues.values()].flatMap((queue) => {
    const filling = fullest(queue);
    if (!filling || !isNear(filling.depth, filling.capacity)) return [];
    const { capacity, depth, mark, source } = filling;
    return [
      {
        seen: `Queue ${queue.name} held ${depth} of at most ${capacity} messages at ${seconds(mark.repliedUs ?? mark.requestedUs)} (${source}, operation ${mark.id}).`,
        operations: [operationOf(mark.command === 'ZCOUNT' ? 'count' : 'enqueue', mark)],
      },
    ];
  });
}

export const queueNearCapacity: HintKind = {
  id: 'queue-near-capacity',
  advice:
    'One queue serves all consumers of a process, so one slow consumer fills it for all. Find the consumer that does not keep up, spread the clients over more processes, or raise `capacity`.',
  look,
};
