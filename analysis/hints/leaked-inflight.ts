/**
 * Messages stay behind in a queue's backup: popped and backed up, never acknowledged and never put back. `K$inflight` has no time to
 * live and its name is never used again once the process is gone: it stays in Redis' memory for ever.
 *
 * Innocent: the trace ends before the acknowledgement could come; a later receive step puts it back; a hole may hide either.
 */
import type { Evidence } from '../evidence.js';
import { operationOf } from '../finding.js';
import type { Mark, QueueHistory } from '../journey.js';
import type { HintKind, HintMaterial } from './hint.js';

/** An acknowledgement follows its backup within round trips; a process that lives polls again within its timeout of 5 s. Twice that is long. */
const SETTLED_US = 10_000_000;

function look({ evidence }: HintMaterial) {
  return [...evidence.journeys.queues.values()].flatMap((queue) => {
    const left = leftBehind(queue, evidence);
    if (left.length === 0) return [];
    const n = left.length;
    return [
      {
        seen: `${n} ${n === 1 ? 'message stays' : 'messages stay'} in ${queue.name}$inflight at the end of the trace: backed up, neither acknowledged nor put back, and no receive step of its queue came after.`,
        operations: left.map((backup) => operationOf('backup', backup)),
      },
    ];
  });
}

function leftBehind(queue: QueueHistory, evidence: Evidence): Mark[] {
  const { openAcknowledgements, receives } = queue;
  const pollersClosed = receives.every(
    ({ connection }) => (evidence.connections.get(connection)?.closedUs ?? null) !== null,
  );
  return queue.journeys.flatMap(({ backups, acknowledgements }) => {
    const backup = backups.at(-1);
    if (!backup) return [];
    const later = (marks: readonly Mark[]): boolean =>
      marks.slice(-2).some(({ id, requestedUs }) => id !== backup.id && requestedUs >= backup.requestedUs);
    if ([acknowledgements, openAcknowledgements, receives].some(later)) return [];
    const sinceUs = backup.repliedUs ?? backup.requestedUs;
    if (!pollersClosed && evidence.endUs - sinceUs < SETTLED_US) return [];
    const hidden = evidence.isHidden(queue.name, { fromUs: backup.requestedUs, toUs: evidence.endUs });
    return hidden ? [] : [backup];
  });
}

export const leakedInflight: HintKind = {
  id: 'leaked-inflight',
  advice:
    'Once its process is gone, a backup can be deleted (`DEL K$inflight`): nobody will read it. Many of them mean that processes are killed while they receive: let them end in peace.',
  look,
};
