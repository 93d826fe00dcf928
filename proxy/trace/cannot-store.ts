/** What a writer of a trace says when SQLite does not take what it writes. */
import { GaptraceError, messageOf } from '../../terminal/errors.js';
import { hasSqliteCode } from './sqlite-errors.js';

/** GAPTRACE_DISK_FULL or GAPTRACE_TRACE_WRITE, exit status 1; null where the error is not SQLite's. */
export function cannotStore(error: unknown, path: string): GaptraceError | null {
  const said = messageOf(error);
  const how = { cause: error, exitStatus: 1 };
  if (hasSqliteCode(error, 'SQLITE_FULL'))
    return new GaptraceError('GAPTRACE_DISK_FULL', `no room left for the trace ${path}: ${said}`, how);
  if (hasSqliteCode(error, 'SQLITE'))
    return new GaptraceError('GAPTRACE_TRACE_WRITE', `cannot write the trace ${path}: ${said}`, how);
  return null;
}
