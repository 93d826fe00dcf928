/**
 * Who may write a trace. The lock is a second SQLite file beside it, `<trace>-lock`, that holds nothing: the operating system
 * gives its lock back when the process dies, however it dies, which no pid file can promise.
 *
 *   a recorder holds it exclusively for its life    -> nobody else can even read the (empty) lock file
 *   completing an abrupt trace reserves it          -> one at a time; the lock file can still be read
 *
 * So one look tells the two apart. Never open the lock file but with SQLite: closing any other descriptor on it would
 * drop this process's locks (POSIX).
 */
import { closeSync, openSync, rmSync, statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { hasCode, hasSqliteCode } from './sqlite-errors.js';

const lockPath = (trace: string): string => `${trace}-lock`;

export class TraceLock {
  readonly #database: Database.Database;
  readonly #path: string;
  readonly #inode: bigint;

  private constructor(database: Database.Database, path: string, inode: bigint) {
    this.#database = database;
    this.#path = path;
    this.#inode = inode;
  }

  /** For a recorder's life. Null where somebody else holds it. Throws as fs and SQLite do where the file cannot be made. */
  static toWrite(trace: string): TraceLock | null {
    return TraceLock.#take(trace, 'BEGIN EXCLUSIVE', 1000);
  }

  /** To complete an abrupt trace. Waits for another completion, `waitMs` at most; null where that is not enough, or a recorder writes. */
  static toComplete(trace: string, waitMs: number): TraceLock | null {
    return TraceLock.#take(trace, 'BEGIN IMMEDIATE', waitMs);
  }

  static #take(trace: string, begin: string, waitMs: number): TraceLock | null {
    const path = lockPath(trace);
    const giveUpAt = Date.now() + waitMs;
    for (;;) {
      createPrivate(path);
      const inode = inodeOf(path);
      const timeout = Math.max(0, giveUpAt - Date.now());
      const database = new Database(path, { timeout });
      try {
        database.pragma('journal_mode = MEMORY'); // no file of a journal of nothing
        database.exec(begin);
        // Where the file cannot be written SQLite begins to read only, and says nothing; this makes it say so. Never committed.
        database.pragma('user_version = 1');
      } catch (error) {
        database.close();
        if (hasSqliteCode(error, 'SQLITE_BUSY')) return null;
        throw error;
      }
      // Whoever held it may have removed the file meanwhile: then this is a lock on nothing.
      if (inode !== null && inode === inodeOf(path)) return new TraceLock(database, path, inode);
      database.close();
    }
  }

  /** Gives it back and removes the file, unless somebody put another in its place. */
  release(): void {
    try {
      if (inodeOf(this.#path) === this.#inode) rmSync(this.#path, { force: true });
    } catch {
      // A file that stays is no lock without its holder.
    }
    this.#database.close();
  }
}

/** Does a recorder write this trace now? */
export function isBeingWritten(trace: string): boolean {
  const path = lockPath(trace);
  if (inodeOf(path) === null) return false;
  let database: Database.Database | null = null;
  try {
    database = new Database(path, { readonly: true, fileMustExist: true, timeout: 0 });
    database.prepare('SELECT count(*) FROM sqlite_master').get();
    return false;
  } catch (error) {
    if (hasSqliteCode(error, 'SQLITE_BUSY')) return true;
    if (inodeOf(path) === null) return false;
    throw error;
  } finally {
    database?.close();
  }
}

/** An empty file with mode 0600, unless there is one. */
function createPrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  }
}

function inodeOf(path: string): bigint | null {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino ?? null;
}
