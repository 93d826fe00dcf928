// Recorders that are killed, in processes of their own, and what is then made of their traces. Uses the built dist/.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openTrace } from './open.js';
import type { Trace } from './trace.js';

const DIST = new URL('../../dist/', import.meta.url).href;
const CONNECTIONS = 8;

/** Records numbered exchanges on some connections; each connection counts for itself. A request may be padded, so that blocks are filled sooner. */
const RECORDING = `
  import { Recorder } from '${DIST}proxy/recorder.js';
  const [path, faults, padding] = process.argv.slice(2);
  const padded = padding ? '$' + padding + '\\r\\n' + 'x'.repeat(Number(padding)) + '\\r\\n' : '';
  const recorder = await Recorder.create({ path, meta: {}, faults: JSON.parse(faults) });
  for (let c = 1; c <= ${CONNECTIONS}; c++) recorder.opened(c, recorder.nowUs(), { client: 'c', upstream: 'u' });
  console.log('recording');
  for (let n = 0; ; n++) {
    for (let c = 1; c <= ${CONNECTIONS}; c++) {
      const bulk = '$' + String(n).length + '\\r\\n' + n + '\\r\\n';
      recorder.clientBytes(c, recorder.nowUs(), Buffer.from('*' + (padding ? 3 : 2) + '\\r\\n$4\\r\\nECHO\\r\\n' + bulk + padded));
      recorder.redisBytes(c, recorder.nowUs(), Buffer.from(bulk), true);
    }
    if (n % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
`;

let folder: string;
let path: string;
let programs: string;
const children = new Set<ChildProcess>();
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gaptrace-abrupt-'));
  path = join(folder, 't.db');
  programs = mkdtempSync(join(tmpdir(), 'abrupt-programs-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  for (const child of children) child.kill('SIGKILL');
  children.clear();
  for (const left of [folder, programs]) rmSync(left, { recursive: true, force: true });
});

/** Runs a program until it has said something, waits, and kills it. */
async function killed(program: string, args: readonly string[], wait: () => Promise<unknown>): Promise<void> {
  const child = spawn(process.execPath, [written(program), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.add(child);
  const gone = new Promise((resolve) => child.once('exit', resolve));
  const said = new Promise((resolve) => child.stdout.once('data', () => resolve('said')));
  if ((await Promise.race([said, gone])) !== 'said') throw new Error('the program ended by itself');
  await wait();
  child.kill('SIGKILL');
  await gone;
  children.delete(child);
}

/** The file of a program: not `-e`, whose flags a worker would inherit. */
function written(program: string): string {
  const file = join(programs, `${createHash('sha256').update(program).digest('hex')}.mjs`);
  writeFileSync(file, program);
  return file;
}

const forMs = (ms: number) => (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, ms));

/** A recorder that only stores, killed when so many blocks are stored. */
const killedWithBacklog = (blocks: number, padding = ''): Promise<void> =>
  killed(RECORDING, [path, JSON.stringify({ neverIndex: true }), padding], async () => {
    const database = new Database(path, { readonly: true });
    const stored = database.prepare('SELECT count(*) FROM spool').pluck();
    while ((stored.get() as number) < blocks) await forMs(10)();
    database.close();
  });

/** Each connection's exchanges are 0, 1, 2… without a gap, each with its reply, but for the last. Returns how many there are. */
function expectPrefix(trace: Trace): number {
  const next = new Map<number, number>();
  const unanswered = new Map<number, number>();
  for (const operation of trace.operations()) {
    const n = next.get(operation.connection) ?? 0;
    next.set(operation.connection, n + 1);
    expect(operation.sequence).toBe(n + 1);
    expect(operation.args.slice(0, 2).map(String)).toEqual(['ECHO', String(n)]);
    expect(unanswered.get(operation.connection)).toBeUndefined();
    if (operation.replyKind === null) unanswered.set(operation.connection, n);
    else expect(operation.reply).toEqual({ kind: 'bulk', bytes: Buffer.from(String(n)) });
  }
  // The connections took turns, so none may be ahead by more than the one that was cut.
  const counts = [...next.values()];
  if (counts.length > 0) expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
  expect(unanswered.size).toBeLessThanOrEqual(1);
  return trace.operationCount();
}

function expectAbrupt(trace: Trace): void {
  expect([trace.live, trace.endMarker, trace.meta.get('ended')]).toEqual([false, false, 'abrupt']);
  expect([...trace.holes()]).toEqual([
    expect.objectContaining({
      reason: 'no-end-marker',
      fromUs: trace.watermarkUs,
      toUs: null,
      connection: null,
    }),
  ]);
}

// Each of these starts several processes, one after the other: slow where the machine is busy.
describe('a recorder killed with SIGKILL', { timeout: 120_000 }, () => {
  it('leaves a trace that opens, with all rows up to a point and none after it', async () => {
    for (let round = 0; round < 6; round++) {
      await killed(RECORDING, [path, '{}'], forMs(Math.random() * 250));
      const trace = openTrace(path);
      expectPrefix(trace);
      expectAbrupt(trace);
      trace.close();
      expect(readdirSync(folder)).toEqual(['t.db']);
      rmSync(path);
    }
  });

  it('leaves what it had stored, also where nothing was indexed', async () => {
    await killedWithBacklog(5);
    const trace = openTrace(path);
    expect(expectPrefix(trace)).toBeGreaterThan(0);
    expectAbrupt(trace);
    trace.close();
  });

  it('the trace is completed once, whoever opens it', async () => {
    await killedWithBacklog(8);
    const opening = `
      import { openTrace } from '${DIST}proxy/trace/open.js';
      const trace = openTrace(process.argv[2]);
      console.log(trace.operationCount(), [...trace.holes()].length, trace.live);
    `;
    const said = await Promise.all(
      [1, 2, 3].map(() => promisify(execFile)(process.execPath, [written(opening), path])),
    );
    expect(new Set(said.map(({ stdout }) => stdout)).size).toBe(1);
    expect(said[0]?.stdout).toMatch(/^[1-9]\d* 1 false\n$/);
    expect(readdirSync(folder)).toEqual(['t.db']);
  });

  it('a completion that is killed is gone on with', async () => {
    await killedWithBacklog(15);
    await expectGoneOnWith([0, 5, 20]);
  });

  it('so is a long one, of two threads', async () => {
    await killedWithBacklog(400, '2000');
    await expectGoneOnWith([0, 100, 150, 200, 250]);
  });

  /** A completion, begun and killed after each of these times and then done, makes a whole trace. */
  async function expectGoneOnWith(killedAfterMs: readonly number[]): Promise<void> {
    const opening = `
      import { openTrace } from '${DIST}proxy/trace/open.js';
      console.log('opening');
      openTrace(process.argv[2]);
    `;
    for (const afterMs of killedAfterMs) await killed(opening, [path], forMs(afterMs));
    const trace = openTrace(path);
    expect(expectPrefix(trace)).toBeGreaterThan(0);
    expectAbrupt(trace);
    trace.close();
  }

  it('where nothing can be written it is completed in a copy, and left as it is', async () => {
    await killedWithBacklog(5);
    const before = readdirSync(folder);
    chmodSync(programs, 0o777);
    vi.stubEnv('TMPDIR', programs); // where the copy goes
    withoutWriting(() => {
      const trace = openTrace(path);
      expect(expectPrefix(trace)).toBeGreaterThan(0);
      expectAbrupt(trace);
      expect(() => [...trace.sql('DELETE FROM operation')]).toThrow(
        expect.objectContaining({ code: 'GAPTRACE_SQL' }),
      );
      trace.close();
    });
    expect(readdirSync(folder)).toEqual(before);
    expect(readdirSync(programs).filter((name) => !name.endsWith('.mjs'))).toEqual([]);
  });

  /** Runs as somebody who can read the folder and not write it: root can write anything, so root steps down for it. */
  function withoutWriting(work: () => void): void {
    for (const name of readdirSync(folder)) chmodSync(join(folder, name), 0o444);
    chmodSync(folder, 0o555);
    const isRoot = process.getuid?.() === 0;
    if (isRoot) process.seteuid?.(65534);
    try {
      work();
    } finally {
      if (isRoot) process.seteuid?.(0);
      chmodSync(folder, 0o755);
    }
  }
});
