import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isBeingWritten, TraceLock } from './lock.js';

let folder: string;
let trace: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gaptrace-lock-'));
  trace = join(folder, 't.db');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('TraceLock', () => {
  it('is held by one writer', () => {
    const writer = TraceLock.toWrite(trace);
    expect(writer).not.toBeNull();
    expect(isBeingWritten(trace)).toBe(true);
    expect(TraceLock.toComplete(trace, 0)).toBeNull();
    writer?.release();
    expect(isBeingWritten(trace)).toBe(false);
  });

  it('lets one complete at a time, and does not look like a writer meanwhile', () => {
    const first = TraceLock.toComplete(trace, 0);
    expect(isBeingWritten(trace)).toBe(false);
    expect(TraceLock.toComplete(trace, 0)).toBeNull();
    first?.release();
    const second = TraceLock.toComplete(trace, 0);
    expect(second).not.toBeNull();
    second?.release();
  });

  it('leaves no file', () => {
    TraceLock.toWrite(trace)?.release();
    expect(existsSync(`${trace}-lock`)).toBe(false);
  });

  it('takes over a lock file whose process is gone', () => {
    TraceLock.toWrite(join(folder, 'other.db'))?.release();
    const left = TraceLock.toComplete(trace, 0);
    expect(existsSync(`${trace}-lock`)).toBe(true);
    left?.release();
    const writer = TraceLock.toWrite(trace);
    expect(isBeingWritten(trace)).toBe(true);
    writer?.release();
  });

  it('no lock file, no writer', () => {
    expect(isBeingWritten(trace)).toBe(false);
  });
});
