/** MULTI … EXEC: what was queued in between runs at EXEC, and has its reply there. */
import type { Reply, TraceOperation } from '../proxy/trace/trace.js';

/** Pairs what was queued with the items of EXEC's reply. What was refused when it was queued has its own reply; of an aborted transaction only that. */
export function* executed(
  queued: readonly TraceOperation[],
  exec: TraceOperation,
): Generator<[TraceOperation, Reply | null]> {
  const { reply } = exec;
  const aborted = reply !== null && reply.kind !== 'array'; // an error, or nil after WATCH
  let item = 0;
  for (const operation of queued) {
    if (operation.reply?.kind === 'error') yield [operation, operation.reply];
    else if (!aborted) yield [ranBy(exec, operation), reply?.items[item++] ?? null];
  }
}

/** What was queued takes effect when EXEC runs it. */
function ranBy(
  { requestedUs, repliedUs, flushedUs }: TraceOperation,
  queued: TraceOperation,
): TraceOperation {
  const { id, connection, sequence, command, owed, pipelined, transaction, replyKind } = queued;
  const { requestLength, replyLength, requestCut, replyCut, args, reply } = queued;
  return {
    ...{ id, connection, sequence, command, owed, pipelined, transaction, replyKind },
    ...{ requestLength, replyLength, requestCut, replyCut, args, reply },
    ...{ requestedUs, repliedUs, flushedUs },
  };
}
