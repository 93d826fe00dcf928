/**
 * Two workers read one general channel. When B begins to receive, it puts back what is in the backup, and there is what A is just
 * processing: B pops it again, and both process it. channels_redis#163.
 *
 * On the wire: A's `ZADD I m`, B's restore, A's own `ZPOPMIN I`, and a second pop of m. A's acknowledgement shows that A went on with the message.
 * Where A was cancelled after its backup it sends none, and the message was processed once (redelivered-late).
 */
import { type EndAcknowledged, holeText } from '../ending.js';
import type { Journey, Mark, QueueHistory } from '../journey.js';
import { isProcessQueue } from '../profiles/channel-layer.js';
import type { ReceiveLoops } from '../receive-loops.js';
import { type Case, type Cause, cite, type Examination } from './cause.js';

/** A pop whose backup was put back for another one, and what came of it. */
interface Repeat {
  readonly first: Mark;
  readonly backup: Mark;
  readonly restore: Mark;
  readonly second: Mark;
  /** The first one's own acknowledgement; null where it sent none, as far as is known. */
  readonly acknowledgement: Mark | null;
}

function examine({ journey, end, queue, evidence, missed }: Case<EndAcknowledged>): Examination {
  if (missed) return { holds: false, because: 'a client never got it, though it was popped again' };
  const loops = evidence.loops(queue);
  if (!loops.several) return { holds: false, because: 'one receive loop explains all polls of its queue' };
  const repeats = repeatsOf(journey, queue, loops);
  const [hole] = repeats.flatMap(({ backup }) => {
    const span = { fromUs: backup.requestedUs, toUs: repliedUs(end.acknowledgement) };
    const [first] = evidence.holesHiding(queue.name, span);
    return first ?? [];
  });
  if (hole)
    return {
      holds: null,
      because: `it was popped again, but what its first reader did then is not all known: ${holeText(hole)}`,
    };
  const proven = repeats.find(({ acknowledgement }) => acknowledgement !== null);
  if (proven && isProcessQueue(queue.name))
    return {
      holds: null,
      because: `two processes that share its queue took it (operations ${proven.first.id} and ${proven.second.id}), and its recipient lives in one of them, as far as is known`,
    };
  if (proven)
    return {
      holds: true,
      because: `operation ${proven.restore.id} put it back between the backup of its first reader (operation ${proven.backup.id}) and that reader's acknowledgement (operation ${proven.acknowledgement?.id}), and operation ${proven.second.id} popped it again: both processed it`,
      cites: [
        cite('restore', proven.restore),
        cite('pop', proven.second),
        ...(proven.acknowledgement ? [cite('acknowledge', proven.acknowledgement)] : []),
      ],
    };
  const open = repeats.find(({ backup }) => evidence.connections.get(backup.connection)?.closedUs === null);
  if (open)
    return {
      holds: null,
      because: `operation ${open.restore.id} put it back, and whether its first reader went on with it is not shown: connection ${open.backup.connection} stayed open and sent no acknowledgement of it`,
    };
  return { holds: false, because: 'no reader that had it put back went on with it' };
}

function repeatsOf({ pops, backups }: Journey, queue: QueueHistory, loops: ReceiveLoops): Repeat[] {
  return pops.slice(1).flatMap((second, i) => {
    const first = pops[i] as Mark;
    const poppedAgainUs = repliedUs(second);
    const backup = backups.find(
      (mark) => mark.requestedUs >= repliedUs(first) && mark.requestedUs < poppedAgainUs,
    );
    const restore =
      backup &&
      queue.restores.find(
        (mark) => repliedUs(mark) >= backup.requestedUs && mark.requestedUs < poppedAgainUs,
      );
    if (!backup || !restore) return [];
    return [{ first, backup, restore, second, acknowledgement: ownAcknowledgement(backup, queue, loops) }];
  });
}

/**
 * The acknowledgement that the first reader sent for its backup: on the same connection, with no receive step there between, and no other
 * backup that it could be for: of those made since then, each that is not known to be of another process has an acknowledgement of its own.
 */
function ownAcknowledgement(backup: Mark, queue: QueueHistory, loops: ReceiveLoops): Mark | null {
  const backedUpUs = repliedUs(backup);
  const here = ({ connection }: Mark) => connection === backup.connection;
  const own = queue.acknowledgements.find((mark) => here(mark) && mark.requestedUs >= backedUpUs);
  if (!own) return null;
  const inBetween = (mark: Mark) => mark.requestedUs > backedUpUs && mark.requestedUs < own.requestedUs;
  if (queue.receives.some((mark) => here(mark) && inBetween(mark))) return null;
  const maybeIts = (mark: Mark) =>
    mark.id !== own.id && inBetween(mark) && loops.ofOneProcess(mark.connection, backup.connection) !== false;
  const backups = queue.journeys.flatMap((journey) => journey.backups.filter(maybeIts));
  const acknowledgements = queue.acknowledgements.filter(maybeIts);
  return acknowledgements.length >= backups.length ? own : null;
}

function repliedUs(mark: Mark): number {
  return mark.repliedUs ?? mark.requestedUs;
}

export const workerDuplicate: Cause<EndAcknowledged> = {
  id: 'worker-duplicate',
  verdict: 'duplicated',
  meaning:
    'Two workers read one channel. One began to receive while the other was processing this message, took it for abandoned and put it back: it was processed twice.',
  refutedBy:
    'the first worker being cancelled before it acknowledged (then it was processed once, late); or no restore between its backup and its acknowledgement.',
  advice:
    'channels_redis 3.0 to 4.3 do this with more than one worker on a channel (channels_redis#163). Run one worker for each channel, or make the work idempotent: the same message may come twice.',
  examine,
};
