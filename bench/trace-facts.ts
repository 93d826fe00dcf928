/** What the trace of a benchmark says: how far the index was at a moment, and what there is in the end. */
import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import Database from 'better-sqlite3';

export interface TraceFacts {
  readonly operations: number;
  /** Bytes of both directions that the recorded connections carried. */
  readonly wireBytes: number;
  /** On the disk: the trace, and any file beside it that belongs to it. */
  readonly traceBytes: number;
  /** Bytes that passed and are not in the trace. */
  readonly bytesNotRecorded: number;
}

/** Bytes of both directions of all connections, and what became of them. Nothing is unaccounted for where the three add up. */
export interface RecordedBytes {
  readonly onTheWire: number;
  readonly inOperations: number;
  readonly inHoles: number;
}

/** Of a finished trace of requests and replies. Reads all of it. */
export function readRecordedBytes(path: string): RecordedBytes {
  return {
    onTheWire: select(path, 'SELECT coalesce(sum(bytes_from_client + bytes_from_redis), 0) FROM connection'),
    inOperations: select(path, 'SELECT coalesce(sum(request_length + reply_length), 0) FROM operations'),
    inHoles: select(path, 'SELECT coalesce(sum(bytes), 0) FROM hole'),
  };
}

/** SET commands in a finished trace. Reads all of it. */
export function countSets(path: string): number {
  return select(path, "SELECT count(*) FROM operations WHERE command = 'SET'");
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
    traceBytes: bytesOnDisk(path),
    bytesNotRecorded: select(path, 'SELECT coalesce(sum(bytes), 0) FROM hole'),
  };
}

/** Of the file and of those beside it whose names begin with its own. */
export function bytesOnDisk(path: string): number {
  const directory = dirname(path);
  return readdirSync(directory)
    .filter((name) => name.startsWith(basename(path)))
    .reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
}

function select(path: string, sql: string): number {
  const database = new Database(path, { readonly: true });
  try {
    return database.prepare(sql).pluck().get() as number;
  } finally {
    database.close();
  }
}
