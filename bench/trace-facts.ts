/** What the trace of a benchmark says: how far the index was at a moment, and what there is in the end. */
import { statSync } from 'node:fs';
import Database from 'better-sqlite3';

export interface TraceFacts {
  readonly operations: number;
  /** Bytes of both directions that the recorded connections carried. */
  readonly wireBytes: number;
  readonly traceBytes: number;
  /** Bytes that passed and are not in the trace. */
  readonly bytesNotRecorded: number;
}

/** Operations that a trace being written shows by now. */
export function operationsIndexed(path: string): number {
  // Their numbers have no gaps, and the highest one is found at once.
  return select(path, 'SELECT coalesce(max(id), 0) FROM operation');
}

/** Of a finished trace. */
export function readTraceFacts(path: string): TraceFacts {
  return {
    operations: select(path, 'SELECT count(*) FROM operation'),
    wireBytes: select(path, 'SELECT sum(bytes_from_client + bytes_from_redis) FROM connection'),
    traceBytes: statSync(path).size,
    bytesNotRecorded: select(path, 'SELECT coalesce(sum(bytes), 0) FROM hole'),
  };
}

function select(path: string, sql: string): number {
  const database = new Database(path, { readonly: true });
  try {
    return database.prepare(sql).pluck().get() as number;
  } finally {
    database.close();
  }
}
