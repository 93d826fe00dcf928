/**
 * Opening a trace, whatever state it is in: whole, being written, ended abruptly (then it is completed first), or where
 * nothing may be written (then a private copy is completed, and gone when the trace is closed).
 */
import {
  accessSync,
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdtempSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { GaptraceError } from '../../terminal/errors.js';
import { complete, completeInPlace } from './complete.js';
import { explained, locked, unreadable } from './explained.js';
import { isBeingWritten } from './lock.js';
import { SqliteTrace } from './reader.js';
import { APPLICATION_ID, SCHEMA_VERSION } from './schema.js';
import { hasCode, hasSqliteCode } from './sqlite-errors.js';
import type { OnRead, Trace } from './trace.js';

/** How long a lock of another program, or its completion of the trace, is waited for. */
const WAIT_MS = 10_000;

export interface OpenOptions {
  /** For another program's lock; 10 s. */
  readonly waitMs?: number;
  readonly onRead?: OnRead;
}

/**
 * Opens a trace for reading. One that ended abruptly is completed first.
 * @throws GaptraceError (exit status 2) GAPTRACE_TRACE_MISSING, GAPTRACE_TRACE_UNREADABLE, GAPTRACE_NOT_A_TRACE,
 *   GAPTRACE_TRACE_NEWER, GAPTRACE_TRACE_LOCKED, GAPTRACE_TRACE_CORRUPT.
 */
export function openTrace(path: string, options: OpenOptions = {}): Trace {
  checkFile(path);
  try {
    return openFile(path, options);
  } catch (error) {
    throw explained(error, path);
  }
}

function openFile(path: string, { waitMs = WAIT_MS, onRead }: OpenOptions): Trace {
  try {
    const database = openChecked(path, waitMs);
    if (hasEnded(database) || isBeingWritten(path)) return new SqliteTrace(path, database, onRead);
    database.close();
    if (!completeInPlace(path, waitMs)) throw locked(path);
  } catch (error) {
    if (!cannotWrite(error)) throw error;
    if (isBeingWritten(path))
      throw new GaptraceError(
        'GAPTRACE_TRACE_UNREADABLE',
        `${path} is being written, and cannot be read meanwhile from a folder that is read-only: read it where it is written`,
      );
    return openCopy(path, onRead);
  }
  return new SqliteTrace(path, openChecked(path, waitMs), onRead);
}

/** No permission, a read-only disk, or no room: in a copy, elsewhere, it may work. (access(2) cannot tell beforehand.) */
function cannotWrite(error: unknown): boolean {
  return (
    hasSqliteCode(error, 'SQLITE_READONLY', 'SQLITE_CANTOPEN', 'SQLITE_FULL', 'SQLITE_IOERR') ||
    hasCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOSPC')
  );
}

function openCopy(path: string, onRead?: OnRead): Trace {
  const folder = mkdtempSync(join(tmpdir(), 'gaptrace-'));
  try {
    const copy = join(folder, 'trace.db');
    for (const suffix of ['', '-wal']) {
      if (!existsSync(path + suffix)) continue;
      copyFileSync(path + suffix, copy + suffix, constants.COPYFILE_FICLONE);
      chmodSync(copy + suffix, 0o600); // the original's mode came along
    }
    const database = new Database(copy, { fileMustExist: true });
    checkFormat(database, path);
    complete(database);
    database.pragma('query_only = ON');
    // Open files live on without their names: nothing is left behind, however this process ends.
    return new SqliteTrace(path, database, onRead);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function openChecked(path: string, waitMs: number): Database.Database {
  const database = new Database(path, { readonly: true, fileMustExist: true, timeout: waitMs });
  try {
    checkFormat(database, path);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function checkFormat(database: Database.Database, path: string): void {
  if (database.pragma('application_id', { simple: true }) !== APPLICATION_ID)
    throw new GaptraceError('GAPTRACE_NOT_A_TRACE', `${path} is not a gaptrace trace`);
  const version = database.prepare("SELECT value FROM meta WHERE key = 'schema_version'").pluck().get();
  if (Number(version) > SCHEMA_VERSION)
    throw new GaptraceError(
      'GAPTRACE_TRACE_NEWER',
      `${path} was written by a newer gaptrace (schema ${version}, this one reads up to ${SCHEMA_VERSION}): update gaptrace`,
    );
}

function hasEnded(database: Database.Database): boolean {
  return database.prepare("SELECT 1 FROM meta WHERE key = 'ended'").get() !== undefined;
}

function checkFile(path: string): void {
  let isFile: boolean;
  try {
    isFile = statSync(path).isFile();
    accessSync(path, constants.R_OK);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR'))
      throw new GaptraceError('GAPTRACE_TRACE_MISSING', `there is no trace at ${path}`);
    throw unreadable(path, error);
  }
  if (!isFile) throw new GaptraceError('GAPTRACE_NOT_A_TRACE', `${path} is not a file`);
}
