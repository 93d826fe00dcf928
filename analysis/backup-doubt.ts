/**
 * Why a missing backup may say nothing: a client that backs up nothing, or one whose operations are not all in the trace. What the
 * queue's other pops show is counted once a queue, not once for each message.
 */
import type { Journey, QueueHistory } from './journey.js';

interface Habits {
  /** Messages that were popped, and those of them that were backed up. */
  readonly popped: number;
  readonly backedUp: number;
  /** An operation on a message whose earlier steps did not pass the proxy; null where there is none. */
  readonly unseen: { readonly id: number | undefined } | null;
}

const HABITS = new WeakMap<QueueHistory, Habits>();

/** Of a message that was popped and not backed up since; null where the backup should be there. */
export function backupDoubt(journey: Journey, queue: QueueHistory): string | null {
  let habits = HABITS.get(queue);
  if (!habits) {
    habits = habitsOf(queue);
    HABITS.set(queue, habits);
  }
  const { popped, backedUp, unseen } = habits;
  const others = popped - Number(isPopped(journey));
  const guarded = backedUp - Number(isPopped(journey) && isBackedUp(journey));
  if (guarded === 0)
    return 'popped without a backup, but no other pop of this queue is backed up either: this client may never back up';
  if (guarded * 2 < others)
    return `popped without a backup, but only ${guarded} of ${others} other pops of this queue are backed up in the trace`;
  if (unseen)
    return `popped without a backup, but operation ${unseen.id} shows that some of this queue's operations do not pass the proxy`;
  return null;
}

function habitsOf({ journeys }: QueueHistory): Habits {
  const popped = journeys.filter(isPopped);
  const unseen = journeys.find(
    ({ enqueues, pops, backups, acknowledgements }) =>
      enqueues.length > 0 &&
      ((backups.length > 0 && pops.length === 0) || (acknowledgements.length > 0 && backups.length === 0)),
  );
  return {
    popped: popped.length,
    backedUp: popped.filter(isBackedUp).length,
    unseen: unseen ? { id: (unseen.backups[0] ?? unseen.acknowledgements[0])?.id } : null,
  };
}

function isPopped({ pops }: Journey): boolean {
  return pops.length > 0;
}

function isBackedUp({ backups }: Journey): boolean {
  return backups.length > 0;
}
