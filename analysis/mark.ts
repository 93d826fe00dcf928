/** An operation as the analysis cites it: what it was, on which key, and when. */
import type { TraceOperation } from '../proxy/trace/trace.js';

export interface Mark {
  readonly id: number;
  readonly connection: number;
  readonly command: string;
  readonly key: string;
  readonly requestedUs: number;
  readonly repliedUs: number | null;
  readonly flushedUs: number | null;
}

export function markOf(operation: TraceOperation, key: string): Mark {
  const { id, connection, command, requestedUs, repliedUs, flushedUs } = operation;
  return { id, connection, command, key, requestedUs, repliedUs, flushedUs };
}
