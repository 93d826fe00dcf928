/**
 * Where a message in a queue came to its end, by the rules of evidence; not yet why.
 *
 *   enqueue -> queue -> pop -> backup -> acknowledge
 *
 * Each pop is judged, not each member: a message may be popped, backed up, put back and popped again. The end is at the `pop` when a
 * later receive step of its queue starts with no `ZADD I m` since the pop, on any connection; it never pops again; somebody it was for was
 * still there; the queue's other pops are backed up; and no hole touches the span. This separates all 65 losing pops from 5,316
 * healthy ones in the captures of examples/. The causes of each end are in causes/.
 */

import type { TraceHole } from '../proxy/trace/trace.js';
import { backupDoubt } from './backup-doubt.js';
import type { Evidence } from './evidence.js';
import type { Enqueue, Journey, Mark, QueueHistory } from './journey.js';
import { misplacedBy } from './misplaced.js';
import { countWhile, firstSince, seconds } from './moment.js';
import { acknowledgedInItsPlace } from './overtaken-backup.js';
import { isProcessQueue } from './profiles/channel-layer.js';
import { mayBeOnTheWrongHost } from './shards.js';
import { type ShownGone, shownGone } from './shown-gone.js';

/** A second copy of what its recipients got already, in the place of the one for somebody else. */
export interface EndMisplaced {
  readonly at: 'misplaced';
  readonly enqueue: Enqueue;
}

/** Redis is not known to have put it into its queue, or put it where its process may never look. */
export interface EndAtEnqueue {
  readonly at: 'enqueue';
  /** The last attempt. */
  readonly enqueue: Enqueue;
}

/** In its queue since a moment (enqueued, or put back), and not popped since. */
export interface EndInQueue {
  readonly at: 'queue';
  readonly sinceUs: number;
  /** The operation that shows that it is no longer there, and how; null where it may be there still. */
  readonly gone: ShownGone | null;
}

/** A pop that lost its message, and the receive step that came next without it. */
export interface EndAtPop {
  readonly at: 'pop';
  readonly pop: Mark;
  readonly next: Mark;
  /** Recipients who were still there. Null: the message does not say. */
  readonly present: readonly string[] | null;
}

/** Popped by a version of the layer that keeps no backup. */
export interface EndUnguarded {
  readonly at: 'unguarded';
  readonly pop: Mark;
}

/** Popped and backed up, and neither acknowledged nor put back. */
export interface EndInBackup {
  readonly at: 'backup';
  readonly pop: Mark;
  readonly backup: Mark;
}

/** A perfect wire. */
export interface EndAcknowledged {
  readonly at: 'acknowledge';
  readonly pops: readonly Mark[];
  readonly backup: Mark;
  readonly acknowledgement: Mark;
}

/** Nobody it was for was there any more; no cause is looked for. */
export interface EndWithoutRecipients {
  readonly at: 'left';
  readonly why: string;
}

/** The trace ends first. */
export interface EndOfTrace {
  readonly at: 'unfinished';
  readonly why: string;
}

/** The evidence does not even say where it ended. */
export interface EndUndecided {
  readonly at: 'undecided';
  readonly why: string;
  readonly alternatives: readonly string[];
  readonly next: Mark | null;
}

/** The ends that have causes. */
export type End =
  | EndMisplaced
  | EndAtEnqueue
  | EndInQueue
  | EndAtPop
  | EndUnguarded
  | EndInBackup
  | EndAcknowledged;
export type Ending = End | EndWithoutRecipients | EndOfTrace | EndUndecided;

export function endingOf(journey: Journey, evidence: Evidence): Ending {
  const queue = evidence.journeys.queues.get(journey.queue);
  if (!queue) throw new Error(`journey in a queue without a history: ${journey.queue}`);
  const misplaced = misplacedBy(journey, queue);
  if (misplaced) return { at: 'misplaced', enqueue: misplaced };
  const pop = journey.pops.at(-1);
  if (pop?.command === 'BLPOP') return unguarded(journey, pop, queue, evidence);
  if (pop) return afterPop(journey, pop, queue, evidence);
  if (journey.backups.length > 0 || journey.acknowledgements.length > 0)
    return undecided('it was backed up or acknowledged, but no pop of it is in the trace');
  const accepted = journey.enqueues.find(
    (enqueue) => enqueue.acceptance === 'accepted' || evidence.fullQueues.of(enqueue)?.was === 'not-full',
  );
  if (accepted && mayBeOnTheWrongHost(journey, queue)) return sentToItsProcess(journey, accepted, evidence);
  if (accepted) return inQueue(journey, accepted.repliedUs ?? accepted.requestedUs, queue, evidence);
  const enqueue = journey.enqueues.at(-1);
  return enqueue ? { at: 'enqueue', enqueue } : undecided('no enqueue of it is in the trace');
}

/** Accepted, but perhaps on a host where its process never looks. */
function sentToItsProcess(journey: Journey, enqueue: Enqueue, evidence: Evidence): Ending {
  const sentUs = enqueue.repliedUs ?? enqueue.requestedUs;
  const [hole] = evidence.holesHidingWhoIsThere(journey, sentUs);
  if (hole) return undecided(`sent, but who was there is not known: ${holeText(hole)}`);
  return evidence.presentFor(journey, sentUs)?.length === 0
    ? { at: 'left', why: 'the one it was for had left before it was sent' }
    : { at: 'enqueue', enqueue };
}

function afterPop(journey: Journey, pop: Mark, queue: QueueHistory, evidence: Evidence): Ending {
  const poppedUs = pop.repliedUs ?? pop.requestedUs;
  const backup = journey.backups.find((mark) => mark.id === pop.id || mark.requestedUs >= poppedUs);
  const refused = journey.refusedBackups.find((mark) => mark.requestedUs >= poppedUs);
  if (refused && !backup)
    return undecided(
      `popped, but Redis refused its backup (operation ${refused.id}): whether its receiver handed it on all the same, the trace does not say`,
      ['lost', 'delivered'],
    );
  if (!backup) return withoutBackup(journey, pop, queue, evidence);
  // By its reply: one that took the message may have been asked for just before, by another reader of the queue.
  const acknowledgement = journey.acknowledgements.find(
    (mark) => (mark.repliedUs ?? mark.requestedUs) >= backup.requestedUs,
  );
  if (acknowledgement) return acknowledged(journey, { pop, backup, acknowledgement }, evidence);
  const open = queue.openAcknowledgements[firstSince(queue.openAcknowledgements, backup.requestedUs)];
  if (open) {
    // Its reply may be in the hole, and may have named another.
    const [hole] = evidence.holesHiding(queue.name, { fromUs: backup.requestedUs, toUs: evidence.endUs });
    if (hole) return undecided(`popped and backed up, then ${holeText(hole)}`);
    return acknowledged(journey, { pop, backup, acknowledgement: open }, evidence);
  }
  const restore = queue.restores[firstSince(queue.restores, backup.requestedUs)];
  if (restore) return inQueue(journey, restore.repliedUs ?? restore.requestedUs, queue, evidence);
  const [hole] = evidence.holesHiding(queue.name, { fromUs: poppedUs, toUs: evidence.endUs });
  if (hole) return undecided(`popped and backed up, then ${holeText(hole)}`);
  const [hidden] = evidence.holesHidingWhoIsThere(journey, evidence.endUs);
  if (hidden)
    return undecided(
      `popped, backed up and not acknowledged, but who was still there is not known: ${holeText(hidden)}`,
      ['in-flight', 'orphaned-in-flight', 'recipients-left'],
    );
  if (evidence.presentFor(journey, evidence.endUs)?.length === 0)
    return {
      at: 'left',
      why: 'it was popped and backed up, and everyone it was for left before it was acknowledged',
    };
  return { at: 'backup', pop, backup };
}

function acknowledged(
  journey: Journey,
  { pop, backup, acknowledgement }: { pop: Mark; backup: Mark; acknowledgement: Mark },
  evidence: Evidence,
): Ending {
  const [hole] = evidence.holesHidingWhoIsThere(journey, pop.requestedUs);
  if (hole)
    return undecided(
      `popped, backed up and acknowledged, but who was still there is not known: ${holeText(hole)}`,
      ['delivered', 'recipients-left'],
    );
  if (evidence.presentFor(journey, pop.requestedUs)?.length === 0)
    return { at: 'left', why: 'everyone it was for had left before it was popped' };
  return { at: 'acknowledge', pops: journey.pops, backup, acknowledgement };
}

function withoutBackup(journey: Journey, pop: Mark, queue: QueueHistory, evidence: Evidence): Ending {
  const poppedUs = pop.repliedUs ?? pop.requestedUs;
  const next = nextStep(pop, poppedUs, queue, evidence);
  const until = next ? (next.repliedUs ?? next.requestedUs) : evidence.endUs;
  const [hole] = evidence.holesHiding(queue.name, { fromUs: pop.requestedUs, toUs: until });
  if (hole)
    return undecided(`popped, and no backup seen, but ${holeText(hole)}`, ['lost', 'delivered'], next);
  if (!next)
    return {
      at: 'unfinished',
      why: 'it was popped; the trace ends before the next receive step of its queue',
    };
  const [hidden] = evidence.holesHidingWhoIsThere(journey, next.requestedUs);
  if (hidden)
    return undecided(
      `popped, and no backup seen, but who was still there is not known: ${holeText(hidden)}`,
      ['lost', 'recipients-left'],
      next,
    );
  const present = evidence.presentFor(journey, next.requestedUs);
  if (present?.length === 0)
    return { at: 'left', why: 'everyone it was for had left by the time it was popped' };
  const done = acknowledgedInItsPlace(journey, queue, evidence);
  if (done) return { at: 'acknowledge', pops: journey.pops, ...done };
  const doubt = backupDoubt(journey, queue);
  if (doubt) return undecided(doubt, ['lost', 'delivered'], next);
  return { at: 'pop', pop, next, present };
}

/** In a queue with several readers, another reader's step says nothing of this one's: it had so long to back up what it popped. */
const TIME_TO_BACK_UP_US = 1_000_000;

/** The first receive step by which the pop should have been backed up. */
function nextStep(pop: Mark, poppedUs: number, queue: QueueHistory, evidence: Evidence): Mark | undefined {
  const { receives } = queue;
  let next = countWhile(receives, ({ requestedUs }) => requestedUs <= poppedUs);
  const isOther = (mark: Mark | undefined): boolean =>
    mark !== undefined &&
    mark.connection !== pop.connection &&
    mark.requestedUs <= poppedUs + TIME_TO_BACK_UP_US;
  if (evidence.loops(queue).several) while (isOther(receives[next])) next++;
  return receives[next];
}

/** channels_redis 2.0 to 2.2. */
function unguarded(journey: Journey, pop: Mark, queue: QueueHistory, evidence: Evidence): Ending {
  const closedUs = evidence.connections.get(pop.connection)?.closedUs ?? evidence.endUs;
  const span = { fromUs: pop.requestedUs, toUs: Math.max(closedUs, pop.repliedUs ?? pop.requestedUs) };
  const hole = [...evidence.holesHiding(queue.name, span)].find(
    ({ connection }) => connection === null || connection === pop.connection,
  );
  if (hole) return undecided(`popped, but ${holeText(hole)}`, ['lost', 'delivered']);
  if (evidence.present(journey.payload.recipients, pop.requestedUs)?.length === 0)
    return { at: 'left', why: 'everyone it was for had left before it was popped' };
  return { at: 'unguarded', pop };
}

function inQueue(journey: Journey, sinceUs: number, queue: QueueHistory, evidence: Evidence): Ending {
  const [enqueue] = journey.enqueues;
  if (!enqueue) return undecided('put back into its queue, but no enqueue of it is in the trace');
  // From its enqueue on, also where it was put back later: what came after it in the queue shows whether it is still there.
  const [hole] = evidence.holesHidingPops(journey, { fromUs: enqueue.requestedUs, toUs: evidence.endUs });
  if (hole)
    return undecided(`in its queue, and not popped as far as is known, but ${holeText(hole)}`, [
      'in-flight',
      'lost',
      'delivered',
    ]);
  const gone = shownGone(journey, sinceUs, queue);
  if (gone && journey.enqueues.some(({ score }) => Number.isNaN(score)))
    return undecided(`${gone.why}: a list does not show how it went`, [
      ...(evidence.models.of(queue.name).mayBeTaken(journey) ? ['list-era-pop'] : []),
      ...['queue-expired', 'over-capacity', 'removed-outside-trace'],
    ]);
  // A general channel has no process: whoever works next takes what waits.
  const reader = isProcessQueue(queue.key) ? evidence.readers.gone(queue) : null;
  if (reader && (gone === null || gone.mark.requestedUs > reader.sinceUs))
    return {
      at: 'left',
      why: `the process that reads its queue was gone before it popped it: it had closed all ${reader.connections} of its connections that ever received from the queue by ${seconds(reader.sinceUs)}, and nobody polled the queue again`,
    };
  return { at: 'queue', sinceUs, gone };
}

function undecided(
  why: string,
  alternatives: readonly string[] = [],
  next: Mark | null = null,
): EndUndecided {
  return { at: 'undecided', why, alternatives, next };
}

export function holeText(hole: TraceHole): string {
  const where =
    hole.connection === null ? `the whole ${hole.trace ?? 'trace'}` : `connection ${hole.connection}`;
  const until = hole.toUs === null ? 'to its end' : `to +${(hole.toUs / 1e6).toFixed(6)}s`;
  return `${where} has a hole there (${hole.reason}, from +${(hole.fromUs / 1e6).toFixed(6)}s ${until})`;
}
