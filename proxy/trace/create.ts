/**
 * A new, empty trace. The file is made by us, mode 0600, before SQLite opens it: SQLite gives its -wal and -shm files the mode
 * of the file they belong to, so that nothing of a trace is ever readable by others, not even for a moment.
 */
import { closeSync, openSync, rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import { GaptraceError, messageOf } from '../../terminal/errors.js';
import { APPLICATION_ID, SCHEMA, SCHEMA_VERSION } from './schema.js';
import { hasCode } from './sqlite-errors.js';

/** Pages in the WAL before they go to the file. Fewer, larger checkpoints: each costs two fsyncs, and whoever writes waits for them. */
export const CHECKPOINT_PAGES = 8192;

export interface NewTrace {
  readonly meta: Readonly<Record<string, string>>;
  readonly startedUnixUs: number;
  /** 'shared' can be read while it is written and survives a killed writer; 'alone' is faster, for a file that only counts once it is whole. */
  readonly writing: 'shared' | 'alone';
}

/**
 * Creates the file and its tables; nothing is left behind where that fails.
 * @throws GaptraceError GAPTRACE_TRACE_EXISTS, GAPTRACE_TRACE_CREATE.
 */
export function createTrace(path: string, options: NewTrace): Database.Database {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    throw hasCode(error, 'EEXIST') ? traceExists(path) : cannotCreate(path, error);
  }
  let database: Database.Database | null = null;
  try {
    database = new Database(path, { timeout: 5000 });
    writeSchema(database, options);
    return database;
  } catch (error) {
    database?.close();
    for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(path + suffix, { force: true });
    throw cannotCreate(path, error);
  }
}

function writeSchema(database: Database.Database, options: NewTrace): void {
  if (options.writing === 'shared') {
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = NORMAL');
    database.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    // A WAL file that a flood has blown up shrinks again at the next checkpoint.
    database.pragma(`journal_size_limit = ${64 * 1024 * 1024}`);
  } else {
    database.pragma('journal_mode = OFF');
    database.pragma('synchronous = OFF');
    database.pragma('locking_mode = EXCLUSIVE');
  }
  database.pragma(`cache_size = -${16 * 1024}`);
  database.transaction(() => {
    database.pragma(`application_id = ${APPLICATION_ID}`);
    database.exec(SCHEMA);
    const insert = database.prepare('INSERT INTO meta (key, value) VALUES (?, ?)');
    for (const [key, value] of Object.entries({ ...options.meta, ...ownMeta(options.startedUnixUs) }))
      insert.run(key, value);
  })();
}

function ownMeta(startedUnixUs: number): Record<string, string> {
  return {
    schema_version: String(SCHEMA_VERSION),
    started_unix_us: String(startedUnixUs),
    watermark_us: '0',
  };
}

export function traceExists(path: string): GaptraceError {
  return new GaptraceError(
    'GAPTRACE_TRACE_EXISTS',
    `${path} exists already: move it away or name another trace`,
  );
}

export function cannotCreate(path: string, error: unknown): GaptraceError {
  return new GaptraceError('GAPTRACE_TRACE_CREATE', `cannot create the trace ${path}: ${messageOf(error)}`, {
    cause: error,
  });
}
