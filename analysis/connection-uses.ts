/**
 * How each connection was used on the whole: from which operation to which, and whether any request on it was sent before the reply to an earlier one
 * was handed over (out-of-step.ts). One pass over a trace for all connections, so that not each of them is looked for in all of it.
 */
import type { Trace, TraceUse } from '../proxy/trace/trace.js';
import { HANDSHAKE } from './out-of-step.js';

export interface ConnectionUse {
  readonly firstId: number;
  lastId: number;
  overlaps: boolean;
  /** When all replies so far were handed over; Infinity where one was not. */
  flushedUs: number;
}

export function connectionUses(trace: Pick<Trace, 'uses'>): ReadonlyMap<number, ConnectionUse> {
  const uses = new Map<number, ConnectionUse>();
  for (const one of trace.uses()) {
    let use = uses.get(one.connection);
    if (!use) {
      use = { firstId: one.id, lastId: one.id, overlaps: false, flushedUs: Number.NEGATIVE_INFINITY };
      uses.set(one.connection, use);
    }
    add(one, use);
  }
  return uses;
}

function add(
  { id, command, requestedUs, flushedUs, pipelined, transaction, replyKind }: TraceUse,
  use: ConnectionUse,
) {
  use.lastId = id;
  if (HANDSHAKE.has(command)) return;
  if (use.flushedUs > requestedUs && !pipelined && transaction === null) use.overlaps = true;
  if (replyKind !== 'none') use.flushedUs = Math.max(use.flushedUs, flushedUs ?? Number.POSITIVE_INFINITY);
}
