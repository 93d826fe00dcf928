/**
 * A queue was filled to four fifths of its capacity or more: the next slow consumer of its process, and messages are refused.
 *
 * The depth is what `ZCOUNT K` answered to a `send`, else it is rebuilt: put there and not yet popped. The capacity is in the script of
 * group_send. What was removed unseen makes the rebuilt depth too great, so it is set back when a poll finds the queue empty, and no
 * message is counted for longer than its expiry.
 */
import type { Reply } from '../../proxy/trace/trace.js';
import { operationOf } from '../finding.js';
import { type Mark, markOf, type QueueHistory } from '../journey.js';
import { nameOf } from '../profiles/channel-layer.js';
import { seconds } from '../question.js';
import type { HintKind, HintMaterial } from './hint.js';

const NEAR = 0.8;

interface Depth {
  readonly depth: number;
  readonly atUs: number;
  readonly mark: Mark;
  readonly counted: boolean;
}

function look({ evidence, trace }: HintMaterial) {
  const counts = countsByQueue(trace);
  return [...evidence.journeys.queues.values()].flatMap((queue) => {
    const capacity = capacityOf(queue);
    if (capacity === null) return [];
    const deepest = [...(counts.get(queue.name) ?? []), ...rebuiltPeak(queue)].sort(
      (a, b) => b.depth - a.depth || Number(b.counted) - Number(a.counted),
    )[0];
    if (!deepest || deepest.depth < NEAR * capacity) return [];
    const { depth, atUs, mark, counted } = deepest;
    return [
      {
        seen: `Queue ${queue.name} held ${depth} of at most ${capacity} messages at ${seconds(atUs)} (${counted ? 'counted by Redis' : 'counted from the trace: put there and not yet popped'}, operation ${mark.id}).`,
        operations: [operationOf(counted ? 'count' : 'enqueue', mark)],
      },
    ];
  });
}

function capacityOf({ journeys }: QueueHistory): number | null {
  const known = journeys.flatMap(({ enqueues }) => enqueues.flatMap(({ capacity }) => capacity ?? []));
  return known.length === 0 ? null : known.reduce((least, one) => Math.min(least, one));
}

/** What ZCOUNT answered, by queue. */
function countsByQueue(trace: HintMaterial['trace']): Map<string, Depth[]> {
  const counts = new Map<string, Depth[]>();
  for (const operation of trace.operations({ commands: ['ZCOUNT'] })) {
    const queue = operation.args[1] && nameOf(operation.args[1]);
    const depth = integerOf(operation.reply);
    if (queue === undefined || depth === null) continue;
    const mark = markOf(operation, queue);
    const one = { depth, atUs: mark.repliedUs ?? mark.requestedUs, mark, counted: true };
    counts.set(queue, [...(counts.get(queue) ?? []), one]);
  }
  return counts;
}

function integerOf(reply: Reply | null): number | null {
  return reply?.kind === 'integer' ? Number(reply.value) : null;
}

/** The moment at which the most messages had been put there and not yet left; empty where none ever was. */
function rebuiltPeak(queue: QueueHistory): Depth[] {
  const changes: { atUs: number; by: 1 | -1; mark: Mark }[] = [];
  for (const { enqueue, inUs, outUs } of stays(queue)) {
    if (outUs <= inUs) continue; // popped before the reply to its enqueue was read
    changes.push({ atUs: inUs, by: 1, mark: enqueue }, { atUs: outUs, by: -1, mark: enqueue });
  }
  changes.sort((a, b) => a.atUs - b.atUs || a.by - b.by);
  let [depth, peak] = [0, null as Depth | null];
  for (const { atUs, by, mark } of changes) {
    depth += by;
    if (depth > (peak?.depth ?? 0)) peak = { depth, atUs, mark, counted: false };
  }
  return peak ? [peak] : [];
}

/** From when until when, at the latest, each message was in the queue. */
function* stays({ journeys, emptyPolls }: QueueHistory) {
  const accepted = journeys
    .flatMap(({ enqueues, pops }) => {
      const enqueue = enqueues.find(({ acceptance }) => acceptance === 'accepted');
      return enqueue ? [{ enqueue, pop: pops[0], inUs: enqueue.repliedUs ?? enqueue.requestedUs }] : [];
    })
    .sort((a, b) => a.inUs - b.inUs);
  let empty = 0;
  for (const { enqueue, pop, inUs } of accepted) {
    while ((emptyPolls[empty]?.requestedUs ?? Number.POSITIVE_INFINITY) < inUs) empty++;
    const outUs = Math.min(
      pop?.repliedUs ?? Number.POSITIVE_INFINITY,
      emptyPolls[empty]?.requestedUs ?? Number.POSITIVE_INFINITY,
      inUs + (enqueue.expiry ?? Number.POSITIVE_INFINITY) * 1e6,
    );
    yield { enqueue, inUs, outUs };
  }
}

export const queueNearCapacity: HintKind = {
  id: 'queue-near-capacity',
  advice:
    'One queue serves all consumers of a process, so one slow consumer fills it for all. Find the consumer that does not keep up, spread the clients over more processes, or raise `capacity`.',
  look,
};
