/**
 * How a trace ends. The end marker is `meta.ended`: `clean` where the recorder drained and said so, `abrupt` where it was
 * killed or failed and somebody completed the trace afterwards. Without it the trace is being written, or is to be completed.
 */
import type Database from 'better-sqlite3';
import type { Indexer } from '../indexer.js';
import type { TraceWriter } from './writer.js';

export type Ending = 'clean' | 'abrupt';

/** Everything is indexed: the end marker, and nothing left of what only a writer needs. `atUs`: when recording stopped. */
export function writeEnding(
  database: Database.Database,
  writer: TraceWriter,
  indexer: Indexer,
  ending: Ending,
  atUs: number,
): void {
  database.transaction(() => {
    if (ending === 'abrupt') indexer.hole(noEndMarker(atUs));
    writer.meta('ended', ending);
    writer.meta('watermark_us', String(atUs));
    writer.meta('duration_us', String(atUs));
    database.exec('DELETE FROM conversation');
  })();
}

function noEndMarker(fromUs: number) {
  return {
    direction: null,
    offset: null,
    bytes: 0,
    fromUs,
    toUs: null,
    reason: 'no-end-marker',
    detail: 'recording ended abruptly: nothing is known of what came after',
  };
}

/** One file, readable anywhere, also where nothing can be written: the WAL is folded in, if nobody reads just now. */
export function foldInto(database: Database.Database): void {
  database.pragma('wal_checkpoint(TRUNCATE)');
  try {
    database.pragma('journal_mode = DELETE');
  } catch {
    // SQLITE_BUSY while a reader is attached: the file stays in WAL mode, whole all the same.
  }
}
