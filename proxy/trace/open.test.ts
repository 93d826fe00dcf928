import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTrace } from './create.js';
import { TraceLock } from './lock.js';
import { moveAside } from './move-aside.js';
import { openTrace } from './open.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gaptrace-open-'));
  path = join(folder, 't.db');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A trace that ended as it should, changed by some SQL. */
function finishedTrace(sql = ''): void {
  const startedUnixUs = Date.UTC(2026, 10, 23, 15, 23, 0) * 1000;
  const database = createTrace(path, { meta: { ended: 'clean' }, startedUnixUs, writing: 'alone' });
  database.exec(sql);
  database.close();
}

function refusal(waitMs = 0): { code: string; message: string; exitStatus: number } {
  try {
    openTrace(path, { waitMs }).close();
  } catch (error) {
    return error as { code: string; message: string; exitStatus: number };
  }
  throw new Error('it was opened');
}

describe('openTrace refuses, in one line that names the file', () => {
  const cases: [string, string, () => void][] = [
    ['nothing there', 'GAPTRACE_TRACE_MISSING', () => {}],
    ['a folder', 'GAPTRACE_NOT_A_TRACE', () => mkdirSync(path)],
    ['an empty file', 'GAPTRACE_NOT_A_TRACE', () => writeFileSync(path, '')],
    ['a text', 'GAPTRACE_NOT_A_TRACE', () => writeFileSync(path, 'hello, world\n'.repeat(1000))],
    [
      'another SQLite file',
      'GAPTRACE_NOT_A_TRACE',
      () => new Database(path).exec('CREATE TABLE meta (key, value)').close(),
    ],
    [
      'a newer schema',
      'GAPTRACE_TRACE_NEWER',
      () => finishedTrace("UPDATE meta SET value = '99' WHERE key = 'schema_version'"),
    ],
    ['no schema', 'GAPTRACE_TRACE_CORRUPT', () => finishedTrace('DROP TABLE meta')],
    [
      'a file that was cut',
      'GAPTRACE_TRACE_CORRUPT',
      () => {
        finishedTrace();
        truncateSync(path, 4096);
      },
    ],
  ];
  it.each(cases)('%s: %s', (_, code, make) => {
    make();
    const before = readdirSync(folder);
    const error = refusal();
    expect(error).toMatchObject({ name: 'GaptraceError', code, exitStatus: 2 });
    expect(error.message).toContain(path);
    expect(error.message).not.toContain('\n');
    expect(readdirSync(folder)).toEqual(before);
  });

  it('a path through a file', () => {
    writeFileSync(path, '');
    path = join(path, 'x.db');
    expect(refusal()).toMatchObject({ code: 'GAPTRACE_TRACE_MISSING' });
  });

  it('a file that somebody else has locked', () => {
    finishedTrace();
    const other = new Database(path);
    other.exec('BEGIN EXCLUSIVE');
    expect(refusal()).toMatchObject({ code: 'GAPTRACE_TRACE_LOCKED', exitStatus: 2 });
    other.close();
    openTrace(path).close();
  });

  it('an abrupt trace that somebody else completes, for longer than is waited', () => {
    createTrace(path, { meta: {}, startedUnixUs: 0, writing: 'shared' }).close();
    const lock = TraceLock.toComplete(path, 0);
    expect(refusal()).toMatchObject({ code: 'GAPTRACE_TRACE_LOCKED' });
    lock?.release();
    const trace = openTrace(path);
    expect(trace.meta.get('ended')).toBe('abrupt');
    trace.close();
  });

  it('a file that must not be read', () => {
    finishedTrace();
    chmodSync(path, 0o000);
    const isRoot = process.getuid?.() === 0;
    if (isRoot) process.seteuid?.(65534);
    try {
      expect(refusal()).toMatchObject({ code: 'GAPTRACE_TRACE_UNREADABLE' });
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });
});

describe('openTrace', () => {
  it('takes a trace that is being written as live', () => {
    const lock = TraceLock.toWrite(path);
    const writer = createTrace(path, { meta: {}, startedUnixUs: 7, writing: 'shared' });
    const trace = openTrace(path);
    expect([trace.live, trace.endMarker, trace.startedUnixUs]).toEqual([true, false, 7]);
    trace.close();
    writer.close();
    lock?.release();
  });

  it('a trace in WAL mode, where nothing can be written', () => {
    createTrace(path, { meta: { ended: 'clean' }, startedUnixUs: 0, writing: 'shared' }).close();
    chmodSync(path, 0o444);
    chmodSync(folder, 0o555);
    const isRoot = process.getuid?.() === 0;
    if (isRoot) process.seteuid?.(65534);
    try {
      const trace = openTrace(path);
      expect(trace.operationCount()).toBe(0);
      trace.close();
    } finally {
      if (isRoot) process.seteuid?.(0);
      chmodSync(folder, 0o755);
    }
  });
});

describe('moveAside', () => {
  it('renames a trace by its start, and never over another file', () => {
    finishedTrace();
    copyFileSync(path, join(folder, 'copy.db'));
    expect(moveAside(path)).toBe(join(folder, 't.20261123T152300Z.db'));
    copyFileSync(join(folder, 'copy.db'), path);
    expect(moveAside(path)).toBe(join(folder, 't.20261123T152300Z.2.db'));
    expect(readdirSync(folder).sort()).toEqual([
      'copy.db',
      't.20261123T152300Z.2.db',
      't.20261123T152300Z.db',
    ]);
  });

  it('completes an abrupt trace first', () => {
    createTrace(path, { meta: {}, startedUnixUs: 0, writing: 'shared' }).close();
    const trace = openTrace(moveAside(path));
    expect(trace.meta.get('ended')).toBe('abrupt');
    trace.close();
    expect(readdirSync(folder)).toEqual(['t.19700101T000000Z.db']);
  });

  it('leaves a trace that is being written', () => {
    const lock = TraceLock.toWrite(path);
    const writer = createTrace(path, { meta: {}, startedUnixUs: 0, writing: 'shared' });
    expect(() => moveAside(path)).toThrow(expect.objectContaining({ code: 'GAPTRACE_TRACE_IN_USE' }));
    expect(readdirSync(folder)).toContain('t.db');
    writer.close();
    lock?.release();
  });

  it('leaves what is not a trace', () => {
    writeFileSync(path, 'precious');
    expect(() => moveAside(path)).toThrow(expect.objectContaining({ code: 'GAPTRACE_NOT_A_TRACE' }));
    expect(readdirSync(folder)).toEqual(['t.db']);
  });
});
