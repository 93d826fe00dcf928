/** MULTI … EXEC: what was queued in between runs at EXEC, and has its reply there. */
import type { Reply, TraceOperation } from '../proxy/trace/trace.js';
import { append } from './append.js';

/**
 * Operations in the order in which they took effect, each with its reply: what was queued under a MULTI waits for its EXEC. Memory grows with
 * the transactions that are under way.
 */
export class Transactions {
  readonly #queued = new Map<number, TraceOperation[]>();

  /** What takes effect by this operation, which is of a transaction; the MULTI itself is not to be given. */
  *ended(operation: TraceOperation, transaction: number): Generator<[TraceOperation, Reply | null]> {
    if (operation.command === 'EXEC') {
      yield* executed(this.#queued.get(transaction) ?? [], operation);
      this.#queued.delete(transaction);
    } else if (operation.command === 'DISCARD') this.#queued.delete(transaction);
    else append(this.#queued, transaction, operation);
  }
}

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
