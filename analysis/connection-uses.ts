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
  const uses = new ConnectionUses();
  for (const one of trace.uses()) uses.add(one);
  return uses.all;
}

export class ConnectionUses {
  readonly #uses = new Map<number, ConnectionUse>();

  get all(): ReadonlyMap<number, ConnectionUse> {
    return this.#uses;
  }

  /** The next operation of the trace. */
  add({
    id,
    connection,
    command,
    requestedUs,
    flushedUs,
    pipelined,
    transaction,
    replyKind,
  }: TraceUse): void {
    let use = this.#uses.get(connection);
    if (!use) {
      use = { firstId: id, lastId: id, overlaps: false, flushedUs: Number.NEGATIVE_INFINITY };
      this.#uses.set(connection, use);
    }
    use.lastId = id;
    if (HANDSHAKE.has(command)) return;
    if (use.flushedUs > requestedUs && !pipelined && transaction === null) use.overlaps = true;
    if (replyKind !== 'none') use.flushedUs = Math.max(use.flushedUs, flushedUs ?? Number.POSITIVE_INFINITY);
  }
}
