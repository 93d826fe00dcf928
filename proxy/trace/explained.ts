/** What goes wrong with a trace's file, said so that a person can act on it. */
import { GaptraceError, messageOf } from '../../terminal/errors.js';
import { codeOf, hasCode, hasSqliteCode } from './sqlite-errors.js';

/** Anything that goes wrong with a trace's file, as one clear line. What is not the file's fault stays as it is. */
export function explained(error: unknown, path: string): unknown {
  if (error instanceof GaptraceError) return error;
  if (hasSqliteCode(error, 'SQLITE_NOTADB'))
    return new GaptraceError('GAPTRACE_NOT_A_TRACE', `${path} is not a gaptrace trace: not a SQLite file`);
  // A statement of ours that does not fit the tables (SQLITE_ERROR itself, not what extends it) means other tables.
  if (hasSqliteCode(error, 'SQLITE_CORRUPT') || codeOf(error) === 'SQLITE_ERROR')
    return new GaptraceError('GAPTRACE_TRACE_CORRUPT', `${path} is damaged: ${messageOf(error)}`);
  if (hasSqliteCode(error, 'SQLITE_BUSY', 'SQLITE_LOCKED')) return locked(path);
  if (hasSqliteCode(error, 'SQLITE') || hasCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EIO', 'EISDIR'))
    return unreadable(path, error);
  return error;
}

export function locked(path: string): GaptraceError {
  return new GaptraceError('GAPTRACE_TRACE_LOCKED', `${path} is locked by another program: try again later`);
}

export function unreadable(path: string, error: unknown): GaptraceError {
  return new GaptraceError('GAPTRACE_TRACE_UNREADABLE', `cannot read ${path}: ${messageOf(error)}`, {
    cause: error,
  });
}
