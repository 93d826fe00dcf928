/**
 * A recorder that was killed leaves stored blocks that nobody indexed, and no end marker. Completing does what its worker would
 * have done next, from the file alone: the blocks become rows, and a hole says from when on nothing is known.
 */
import { availableParallelism } from 'node:os';
import Database from 'better-sqlite3';
import { Indexer } from '../indexer.js';
import { CHECKPOINT_PAGES } from './create.js';
import { foldInto, writeEnding } from './ending.js';
import { indexAside } from './index-aside.js';
import { TraceLock } from './lock.js';
import { Spool } from './spool.js';
import { TraceWriter } from './writer.js';

/** Rows of this much work are committed together: a completion that is killed is gone on with. (Of 20,000, each page is written more often.) */
const SLICE_RECORDS = 100_000;
/** Blocks that a second thread is worth starting for: half a second of work. */
const LONG_BLOCKS = 128;
/** Holds the pages of one slice, so that none is written before its commit. */
const CACHE_KIB = 64 * 1024;

/** Completes the trace in its file. False where its lock could not be had within `waitMs`: somebody writes or completes it. */
export function completeInPlace(path: string, waitMs: number): boolean {
  const lock = TraceLock.toComplete(path, waitMs);
  if (lock === null) return false;
  try {
    const database = new Database(path, { fileMustExist: true });
    try {
      complete(database);
    } finally {
      database.close();
    }
  } finally {
    lock.release();
  }
  return true;
}

/** Completes an abrupt trace, whose writer is gone for certain. Nothing happens to one that has its end marker. */
export function complete(database: Database.Database): void {
  const ended = database.prepare("SELECT 1 FROM meta WHERE key = 'ended'").get();
  if (ended === undefined) {
    database.pragma('synchronous = NORMAL');
    database.pragma(`cache_size = -${CACHE_KIB}`);
    database.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    const kept = database.prepare("SELECT value FROM meta WHERE key = 'keep_bytes'").pluck().get();
    const keepBytes = typeof kept === 'string' ? Number(kept) : undefined;
    const writer = new TraceWriter(database);
    const spool = new Spool(database);
    const blocks = database.prepare('SELECT count(*) FROM spool').pluck().get() as number;
    if (blocks >= LONG_BLOCKS && availableParallelism() > 1) indexAside(database, spool, writer, keepBytes);
    const indexer = new Indexer(writer, { keepBytes });
    while (!spool.empty) {
      let records = 0;
      spool.index(indexer, () => {
        records += 1;
        return records >= SLICE_RECORDS;
      });
    }
    writeEnding(database, writer, indexer, 'abrupt', indexer.watermarkUs);
  }
  foldInto(database);
}
