/**
 * What became of a message in a queue, by the rules of evidence; not yet why.
 *
 * Each pop is judged, not each member: a message may be popped, backed up, put back and popped again. A popped message is
 * lost when a later receive step of its queue starts with no `ZADD I m` since the pop, on any connection; it never
 * pops again; somebody it was for was still there; the queue's other pops are backed up; and no hole touches the span.
 * This separates all 65 losing pops from 5,316 healthy ones in the captures of examples/.
 */
import type { TraceHole } from '../proxy/trace/trace.js';
import type { Evidence } from './evidence.js';
import type { Enqueue, Journey, Mark, QueueHistory } from './journey.js';

/** A pop that lost its message, and the receive step that came next without it. */
export interface Loss {
  readonly journey: Journey;
  readonly pop: Mark;
  readonly next: Mark;
  /** Recipients who were still there. Null: the message does not say. */
  readonly present: readonly string[] | null;
}

export type Fate =
  | {
      readonly fate: 'delivered';
      readonly pops: readonly Mark[];
      readonly backup: Mark;
      readonly acknowledgement: Mark;
    }
  | {
      readonly fate: 'redelivered-late';
      readonly pops: readonly Mark[];
      readonly backup: Mark;
      readonly acknowledgement: Mark;
    }
  | ({ readonly fate: 'lost' } & Loss)
  | { readonly fate: 'recipients-left'; readonly why: string }
  | { readonly fate: 'in-flight'; readonly why: string }
  | { readonly fate: 'rejected'; readonly cause: 'over-capacity' | 'rejected'; readonly enqueue: Enqueue }
  | {
      readonly fate: 'indeterminate';
      readonly why: string;
      readonly alternatives: readonly string[];
      readonly pop: Mark | null;
      readonly next: Mark | null;
    };

export function fateOf(journey: Journey, evidence: Evidence): Fate {
  const queue = evidence.journeys.queues.get(journey.queue);
  if (!queue) throw new Error(`journey in a queue without a history: ${journey.queue}`);
  const pop = journey.pops.at(-1);
  if (pop) return afterPop(journey, pop, queue, evidence);
  if (journey.backups.length > 0 || journey.acknowledgements.length > 0)
    return undecided('it was backed up or acknowledged, but no pop of it is in the trace');
  const [enqueue] = journey.enqueues.filter(({ acceptance }) => acceptance === 'accepted');
  if (!enqueue) return notAccepted(journey);
  return waiting(journey, enqueue.repliedUs ?? enqueue.requestedUs, queue, evidence);
}

function afterPop(journey: Journey, pop: Mark, queue: QueueHistory, evidence: Evidence): Fate {
  const poppedUs = pop.repliedUs ?? pop.requestedUs;
  const backup = journey.backups.find((mark) => mark.id === pop.id || mark.requestedUs >= poppedUs);
  if (!backup) return withoutBackup(journey, pop, queue, evidence);
  const acknowledgement =
    journey.acknowledgements.find((mark) => mark.requestedUs >= backup.requestedUs) ??
    queue.openAcknowledgements.find((mark) => mark.requestedUs >= backup.requestedUs);
  if (acknowledgement) {
    const gone = evidence.present(journey.payload.recipients, pop.requestedUs)?.length === 0;
    if (gone) return { fate: 'recipients-left', why: 'everyone it was for had left before it was popped' };
    const { pops } = journey;
    return { fate: pops.length > 1 ? 'redelivered-late' : 'delivered', pops, backup, acknowledgement };
  }
  const restore = queue.restores.find((mark) => mark.requestedUs >= backup.requestedUs);
  if (restore) return waiting(journey, restore.repliedUs ?? restore.requestedUs, queue, evidence);
  const holes = evidence.holesHiding(queue.name, { fromUs: poppedUs, toUs: evidence.endUs });
  if (holes[0]) return undecided(`popped and backed up, then ${holeText(holes[0])}`, [], pop);
  return { fate: 'in-flight', why: 'it was popped and backed up; the trace ends before it was acknowledged' };
}

function withoutBackup(journey: Journey, pop: Mark, queue: QueueHistory, evidence: Evidence): Fate {
  const poppedUs = pop.repliedUs ?? pop.requestedUs;
  const next = queue.receives.find((mark) => mark.requestedUs > poppedUs);
  const until = next ? (next.repliedUs ?? next.requestedUs) : evidence.endUs;
  const [hole] = evidence.holesHiding(queue.name, { fromUs: pop.requestedUs, toUs: until });
  if (hole)
    return undecided(`popped, and no backup seen, but ${holeText(hole)}`, ['lost', 'delivered'], pop, next);
  if (!next)
    return {
      fate: 'in-flight',
      why: 'it was popped; the trace ends before the next receive step of its queue',
    };
  const present = evidence.present(journey.payload.recipients, next.requestedUs);
  if (present?.length === 0)
    return { fate: 'recipients-left', why: 'everyone it was for had left by the time it was popped' };
  const doubt = backupDoubt(journey, queue);
  if (doubt) return undecided(doubt, ['lost', 'delivered'], pop, next);
  return { fate: 'lost', journey, pop, next, present };
}

/** Why a missing backup may say nothing here: a client that backs up nothing, or one whose operations are not all in the trace. */
function backupDoubt(journey: Journey, queue: QueueHistory): string | null {
  const others = queue.journeys.filter((other) => other !== journey && other.pops.length > 0);
  const backedUp = others.filter((other) => other.backups.length > 0).length;
  if (backedUp === 0)
    return 'popped without a backup, but no other pop of this queue is backed up either: this client may never back up';
  if (backedUp * 2 < others.length)
    return `popped without a backup, but only ${backedUp} of ${others.length} other pops of this queue are backed up in the trace`;
  const unseen = queue.journeys.find(
    (other) =>
      other.enqueues.length > 0 &&
      ((other.backups.length > 0 && other.pops.length === 0) ||
        (other.acknowledgements.length > 0 && other.backups.length === 0)),
  );
  if (unseen) {
    const id = (unseen.backups[0] ?? unseen.acknowledgements[0])?.id;
    return `popped without a backup, but operation ${id} shows that some of this queue's operations do not pass the proxy`;
  }
  return null;
}

/** In its queue since a moment (enqueued, or put back), and not popped since. */
function waiting(journey: Journey, sinceUs: number, queue: QueueHistory, evidence: Evidence): Fate {
  const [hole] = evidence.holesHiding(queue.name, { fromUs: sinceUs, toUs: evidence.endUs });
  if (hole)
    return undecided(`in its queue, and not popped as far as is known, but ${holeText(hole)}`, [
      'in-flight',
      'lost',
      'delivered',
    ]);
  const gone = goneFrom(journey, sinceUs, queue);
  if (gone) return undecided(gone, ['queue-expired', 'message-expired', 'removed-outside-trace']);
  if (evidence.present(journey.payload.recipients, evidence.endUs)?.length === 0)
    return {
      fate: 'recipients-left',
      why: 'it was never popped, and everyone it was for had left when the trace ended',
    };
  return { fate: 'in-flight', why: 'it was in its queue when the trace ended' };
}

/** Evidence that it is no longer in its queue though nobody popped it: the queue was found empty, or a later message came first. */
function goneFrom(journey: Journey, sinceUs: number, queue: QueueHistory): string | null {
  const empty = queue.emptyPolls.find((mark) => mark.requestedUs > sinceUs);
  if (empty)
    return `it was not popped, yet operation ${empty.id} found its queue empty: it was removed, or it expired`;
  const score = journey.enqueues.at(-1)?.score;
  if (score === undefined) return null;
  const overtaker = queue.journeys
    .filter((other) => (other.enqueues.at(-1)?.score ?? Number.NEGATIVE_INFINITY) > score)
    .flatMap((other) => other.pops)
    .find((pop) => pop.requestedUs > sinceUs);
  return overtaker
    ? `it was not popped, yet operation ${overtaker.id} brought a later message: it was removed, or it expired`
    : null;
}

function notAccepted(journey: Journey): Fate {
  const enqueue = journey.enqueues.at(-1);
  if (!enqueue) return undecided('no enqueue of it is in the trace');
  switch (enqueue.acceptance) {
    case 'full':
      return { fate: 'rejected', cause: 'over-capacity', enqueue };
    case 'refused':
      return { fate: 'rejected', cause: 'rejected', enqueue };
    case 'unsure':
      return undecided('the script says that some of its queues were full, not which: this one, or another', [
        'over-capacity',
        'in-flight',
      ]);
    default:
      return undecided('Redis did not answer the enqueue in this trace: it may have been done or not', [
        'send-unconfirmed',
        'in-flight',
      ]);
  }
}

function undecided(
  why: string,
  alternatives: readonly string[] = [],
  pop: Mark | null = null,
  next: Mark | null = null,
): Fate {
  return { fate: 'indeterminate', why, alternatives, pop, next };
}

export function holeText(hole: TraceHole): string {
  const where = hole.connection === null ? 'the whole trace' : `connection ${hole.connection}`;
  const until = hole.toUs === null ? 'to its end' : `to +${(hole.toUs / 1e6).toFixed(6)}s`;
  return `${where} has a hole there (${hole.reason}, from +${(hole.fromUs / 1e6).toFixed(6)}s ${until})`;
}
