/**
 * A proxy that starts where a trace already lies keeps the old one: it is completed if it ended abruptly, and renamed by the
 * moment it began.
 */
import { existsSync, renameSync } from 'node:fs';
import { join, parse } from 'node:path';
import { GaptraceError } from '../../terminal/errors.js';
import { isBeingWritten } from './lock.js';
import { openTrace } from './open.js';

/**
 * Renames the trace at `path` to `<name>.<its start, such as 20261123T152300Z>.db` beside it, and returns the new path.
 * @throws GaptraceError GAPTRACE_TRACE_IN_USE where a proxy is writing it; GAPTRACE_NOT_A_TRACE and the others of
 *   openTrace where it cannot be read as a trace. The file is then left as it was.
 */
export function moveAside(path: string): string {
  const trace = openTrace(path);
  let startedUnixUs: number;
  try {
    if (trace.live) throw inUse(path);
    startedUnixUs = trace.startedUnixUs;
  } finally {
    trace.close();
  }
  if (isBeingWritten(path)) throw inUse(path);
  const aside = freeName(path, startedUnixUs);
  renameSync(path, aside);
  // Left only where something could not be folded in: they belong to the file, under its new name.
  for (const suffix of ['-wal', '-shm'])
    if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix);
  return aside;
}

function freeName(path: string, startedUnixUs: number): string {
  const { dir, name, ext } = parse(path);
  const start = new Date(startedUnixUs / 1000).toISOString().replace(/[-:]|\.\d+/g, '');
  const base = join(dir, `${name}.${start}`);
  const extension = ext === '' ? '.db' : ext;
  let aside = base + extension;
  for (let n = 2; existsSync(aside); n++) aside = `${base}.${n}${extension}`;
  return aside;
}

function inUse(path: string): GaptraceError {
  return new GaptraceError(
    'GAPTRACE_TRACE_IN_USE',
    `${path} is being written by another gaptrace: name another trace`,
  );
}
