// The worker runs compiled (Node 20 loads no TypeScript in a worker): `make test` builds dist/ first.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GaptraceError } from '../terminal/errors.js';
import { Recorder, type RecorderOptions } from './recorder.js';
import { openTrace } from './trace/open.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gaptrace-recorder-'));
  path = join(folder, 't.db');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const ADDRESSES = { client: '127.0.0.1:1', upstream: '127.0.0.1:6379' };
const CLOSED = { by: 'client', how: 'fin', unflushedToClient: 0, unflushedToRedis: 0 } as const;
const PING = Buffer.from('*1\r\n$4\r\nPING\r\n');
const PONG = Buffer.from('+PONG\r\n');

const create = (options: Partial<RecorderOptions> = {}): Promise<Recorder> =>
  Recorder.create({ path, meta: { gaptrace_version: 'test' }, ...options });

function exchange(recorder: Recorder, connection: number, request: Buffer, reply: Buffer): void {
  recorder.clientBytes(connection, recorder.nowUs(), request);
  recorder.redisBytes(connection, recorder.nowUs(), reply, true);
}

function query<T>(sql: string): T[] {
  const database = new Database(path, { readonly: true });
  try {
    return database.prepare<[], T>(sql).all();
  } finally {
    database.close();
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Resolves when the recorder says that it has failed. */
const failureOf = (recorder: Recorder): Promise<GaptraceError> =>
  new Promise((resolve) => recorder.onFailure(resolve));

describe('Recorder', () => {
  it('closes when it is told so in the midst of indexing that a timer began', async () => {
    const recorder = await create();
    recorder.opened(1, 10, ADDRESSES);
    exchange(recorder, 1, PING, PONG);
    const indexed = (): number => query<{ n: number }>('SELECT count(*) AS n FROM operation')[0]?.n ?? 0;
    await expect.poll(indexed, { interval: 5, timeout: 5000 }).toBe(1);
    // Stored at once, and indexed when its time has come: some 100 ms of work, in slices that readers see.
    for (let n = 0; n < 40_000; n++) exchange(recorder, 1, PING, PONG);
    await expect.poll(indexed, { interval: 1, timeout: 5000 }).toBeGreaterThan(1);
    expect(await recorder.close()).toMatchObject({ operations: 40_001, completed: true });
  });

  it('records a connection from its opening to its end', async () => {
    const recorder = await create();
    recorder.opened(1, 10, ADDRESSES);
    recorder.clientBytes(1, 20, PING);
    recorder.redisBytes(1, 30, PONG, false);
    recorder.flushed(1, 40, PONG.length);
    recorder.note(45, { note: 'meta', values: { redis_version: '7.0.15' } });
    recorder.closed(1, 50, CLOSED);
    recorder.ended(1, 60);
    expect(await recorder.close()).toEqual({
      operations: 1,
      bytesNotRecorded: 0,
      holes: 0,
      pauses: { count: 0, totalUs: 0 },
      completed: true,
    });
    const trace = openTrace(path);
    expect([...trace.operations()]).toMatchObject([
      { command: 'PING', requestedUs: 20, repliedUs: 30, flushedUs: 40 },
    ]);
    expect([...trace.connections()]).toMatchObject([
      { openedUs: 10, closedUs: 50, closedBy: 'client', endedUs: 60, bytesFromClient: 14, bytesFromRedis: 7 },
    ]);
    expect(trace.meta.get('redis_version')).toBe('7.0.15');
    expect([trace.endMarker, trace.live]).toEqual([true, false]);
    trace.close();
  });

  it('leaves one file, that only its owner can read', async () => {
    const recorder = await create();
    recorder.opened(1, 10, ADDRESSES);
    exchange(recorder, 1, PING, PONG);
    const modes = readdirSync(folder).map((name) => statSync(join(folder, name)).mode & 0o777);
    expect(modes.length).toBeGreaterThanOrEqual(4); // the trace, its -wal, -shm and -lock
    expect(new Set(modes)).toEqual(new Set([0o600]));
    await recorder.close();
    expect(readdirSync(folder)).toEqual(['t.db']);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('refuses a path where something is', async () => {
    mkdirSync(path);
    await expect(create()).rejects.toMatchObject({ code: 'GAPTRACE_TRACE_EXISTS', exitStatus: 2 });
  });

  it('refuses a second recorder, and does not disturb the first', async () => {
    const first = await create();
    await expect(create()).rejects.toMatchObject({ code: 'GAPTRACE_TRACE_EXISTS' });
    first.opened(1, 10, ADDRESSES);
    exchange(first, 1, PING, PONG);
    expect(await first.close()).toMatchObject({ operations: 1, completed: true });
  });

  it('says so where the trace cannot be created, and leaves nothing', async () => {
    path = join(folder, 'no', 'such', 'folder', 't.db');
    await expect(create()).rejects.toMatchObject({ code: 'GAPTRACE_TRACE_CREATE' });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('can be read while it records', async () => {
    const recorder = await create();
    recorder.opened(1, 10, ADDRESSES);
    exchange(recorder, 1, PING, PONG);
    const trace = openTrace(path);
    while (trace.operationCount() < 1) await turn();
    expect([trace.live, trace.endMarker]).toEqual([true, false]);
    expect(trace.watermarkUs).toBeGreaterThan(0);
    exchange(recorder, 1, PING, PONG);
    while (trace.operationCount() < 2) await turn();
    await recorder.close();
    expect([trace.live, trace.endMarker]).toEqual([false, true]);
    trace.close();
  });

  it('splits a chunk that is larger than a block', async () => {
    const recorder = await create({ blockBytes: 4096 });
    recorder.opened(1, 0, ADDRESSES);
    const value = Buffer.alloc(100_000, 'v');
    const request = Buffer.concat([
      Buffer.from('*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100000\r\n'),
      value,
      Buffer.from('\r\n'),
    ]);
    exchange(recorder, 1, request, Buffer.from('+OK\r\n'));
    await recorder.close();
    const trace = openTrace(path);
    const operation = trace.operation(1);
    expect(operation?.args[2]?.equals(value)).toBe(true);
    expect(operation?.replyKind).toBe('simple');
    trace.close();
  });

  it('keeps secrets off the disk, also while blocks wait to be indexed', async () => {
    const recorder = await create({ faults: { neverIndex: true }, blockBytes: 4096 });
    recorder.opened(1, 0, ADDRESSES);
    const auth = Buffer.from('*3\r\n$4\r\nAUTH\r\n$4\r\nuser\r\n$11\r\nhunter2hunt\r\n');
    for (const byte of auth) recorder.clientBytes(1, 1, Buffer.from([byte]));
    recorder.redisBytes(1, 2, Buffer.from('+OK\r\n'), true);
    await recorder.close();
    const stored = Buffer.concat(query<{ block: Buffer }>('SELECT block FROM spool').map((row) => row.block));
    expect(stored.includes('AUTH')).toBe(true);
    const bytes = query<{ block: Buffer }>('SELECT block FROM spool').length;
    expect(bytes).toBeGreaterThan(0);
    expect(execFileSync('cat', [path]).includes('hunter2')).toBe(false);
  });
});

describe('a recorder that cannot keep up', () => {
  const CONNECTIONS = 6;

  /** Sends traffic until bytes were dropped on every connection; returns the bytes that passed, by connection. */
  async function overload(recorder: Recorder): Promise<Map<number, { client: number; redis: number }>> {
    const passed = new Map<number, { client: number; redis: number }>();
    for (let connection = 1; connection <= CONNECTIONS; connection++) {
      recorder.opened(connection, recorder.nowUs(), ADDRESSES);
      passed.set(connection, { client: 0, redis: 0 });
    }
    let rounds = 0;
    while (recorder.bytesNotRecorded < 2_000_000 || rounds < 400) {
      rounds += 1;
      const connection = 1 + (rounds % CONNECTIONS);
      const size = 1 + ((rounds * 7919) % 9000);
      const request = Buffer.from(`*2\r\n$4\r\nECHO\r\n$${size}\r\n${'e'.repeat(size)}\r\n`);
      const reply = Buffer.from(`$${size}\r\n${'e'.repeat(size)}\r\n`);
      const sums = passed.get(connection) as { client: number; redis: number };
      sums.client += request.length;
      sums.redis += reply.length;
      exchange(recorder, connection, request, reply);
      if (rounds % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return passed;
  }

  it('counts every byte that it dropped, in holes that add up exactly', async () => {
    const recorder = await create({
      memoryLimitBytes: 512 * 1024,
      blockBytes: 16 * 1024,
      faults: { storeDelayMs: 40 },
    });
    const passed = await overload(recorder);
    for (let connection = 1; connection <= CONNECTIONS; connection++) {
      recorder.closed(connection, recorder.nowUs(), CLOSED);
      recorder.ended(connection, recorder.nowUs());
    }
    const summary = await recorder.close();
    expect(summary.completed).toBe(true);
    expect(summary.bytesNotRecorded).toBeGreaterThan(2_000_000);
    const [holes] = query<{ bytes: number }>('SELECT sum(bytes) AS bytes FROM hole');
    expect(holes?.bytes).toBeGreaterThanOrEqual(summary.bytesNotRecorded);
    for (const [connection, sums] of passed) {
      expect(
        query(`SELECT bytes_from_client AS client, bytes_from_redis AS redis, closed_by, ended_us IS NOT NULL AS over
               FROM connection WHERE id = ${connection}`),
      ).toEqual([{ ...sums, closed_by: 'client', over: 1 }]);
      expect(
        query(`SELECT
          (SELECT coalesce(sum(request_length), 0) FROM operation WHERE connection = ${connection}) +
          (SELECT coalesce(sum(bytes), 0) FROM hole WHERE connection = ${connection} AND direction = 'client') AS client,
          (SELECT coalesce(sum(reply_length), 0) FROM operation WHERE connection = ${connection}) +
          (SELECT coalesce(sum(payload_length), 0) FROM push WHERE connection = ${connection}) +
          (SELECT coalesce(sum(bytes), 0) FROM hole WHERE connection = ${connection} AND direction = 'redis') AS redis`),
      ).toEqual([sums]);
    }
  });

  it('never drops openings, closes and notes', async () => {
    const recorder = await create({
      memoryLimitBytes: 64 * 1024,
      blockBytes: 16 * 1024,
      faults: { storeDelayMs: 100 },
    });
    for (let connection = 1; connection <= 300; connection++) {
      recorder.opened(connection, recorder.nowUs(), ADDRESSES);
      exchange(recorder, connection, Buffer.alloc(2000, PING), Buffer.alloc(1000, PONG));
      recorder.closed(connection, recorder.nowUs(), CLOSED);
      recorder.ended(connection, recorder.nowUs());
    }
    recorder.note(recorder.nowUs(), { note: 'meta', values: { said: 'yes' } });
    expect(recorder.bytesNotRecorded).toBeGreaterThan(0);
    expect(await recorder.close()).toMatchObject({ completed: true });
    expect(
      query('SELECT count(*) AS n, count(closed_us) AS closed, count(ended_us) AS ended FROM connection'),
    ).toEqual([{ n: 300, closed: 300, ended: 300 }]);
    expect(query("SELECT value FROM meta WHERE key = 'said'")).toEqual([{ value: 'yes' }]);
  });

  it('fails where even the reserve for these is used up', async () => {
    const recorder = await create({
      memoryLimitBytes: 4096,
      blockBytes: 1024,
      faults: { storeDelayMs: 60_000 },
    });
    const failure = failureOf(recorder);
    for (let connection = 1; recorder.state === 'recording' && connection < 10_000; connection++)
      recorder.opened(connection, 1, ADDRESSES);
    expect(await failure).toMatchObject({ code: 'GAPTRACE_RECORDER_STUCK' });
    expect(await recorder.close()).toMatchObject({ completed: false });
  });
});

describe('a recorder that fails', () => {
  it('says so once, goes on taking traffic, and leaves a trace without an end marker', async () => {
    const recorder = await create({ faults: { throwAfterBlocks: 1 } });
    const failures: string[] = [];
    recorder.onFailure((error) => failures.push(error.code));
    recorder.opened(1, recorder.nowUs(), ADDRESSES);
    exchange(recorder, 1, PING, PONG);
    while (recorder.state === 'recording') {
      await new Promise((resolve) => setTimeout(resolve, 10));
      exchange(recorder, 1, PING, PONG);
    }
    const before = recorder.bytesNotRecorded;
    exchange(recorder, 1, PING, PONG);
    recorder.flushed(1, 1, 1);
    recorder.closed(1, recorder.nowUs(), CLOSED);
    recorder.ended(1, recorder.nowUs());
    recorder.note(1, { note: 'meta', values: {} });
    expect(recorder.bytesNotRecorded).toBe(before + PING.length + PONG.length);
    expect(await recorder.close()).toMatchObject({ completed: false });
    expect(failures).toEqual(['GAPTRACE_RECORDER_DIED']);
    expect((await failureOf(recorder)).message).toContain('a fault asked for');
    const trace = openTrace(path);
    expect([trace.endMarker, trace.meta.get('ended')]).toEqual([false, 'abrupt']);
    expect(trace.operationCount()).toBeGreaterThan(0);
    expect([...trace.holes()].map((hole) => hole.reason)).toContain('no-end-marker');
    trace.close();
  });

  it('a file that may not grow', async () => {
    const recorder = await create({ faults: { maxPages: 100 } });
    const failure = failureOf(recorder);
    await fill(recorder);
    expect(await failure).toMatchObject({ code: 'GAPTRACE_DISK_FULL' });
    expect(await recorder.close()).toMatchObject({ completed: false });
    const trace = openTrace(path);
    expect(trace.endMarker).toBe(false);
    trace.close();
  });

  it('a file system that refuses to write', async () => {
    const program = join(folder, 'program.mjs');
    writeFileSync(
      program,
      `import { Recorder } from '${new URL('../dist/proxy/recorder.js', import.meta.url).href}';
       const recorder = await Recorder.create({ path: process.argv[2], meta: {} });
       recorder.onFailure((error) => console.log(error.code));
       recorder.opened(1, 1, { client: 'c', upstream: 'u' });
       while (recorder.state === 'recording') {
         for (let n = 0; n < 100; n++) recorder.redisBytes(1, recorder.nowUs(), Buffer.alloc(1000, '+OK\\r\\n'), true);
         await new Promise((resolve) => setTimeout(resolve, 2));
       }
       console.log((await recorder.close()).completed);`,
    );
    // The kernel lets no file of this process grow beyond 1 MiB, and says EFBIG.
    const limited = ['trap \'\' XFSZ; ulimit -f 2048; exec "$@"', 'sh', process.execPath, program, path];
    const said = execFileSync('sh', ['-c', ...limited], { encoding: 'utf8' });
    expect(said).toBe('GAPTRACE_TRACE_WRITE\nfalse\n');
    const trace = openTrace(path);
    expect([trace.endMarker, trace.meta.get('ended')]).toEqual([false, 'abrupt']);
    trace.close();
  });

  // Mounting needs root. For everybody else the two tests above must do.
  it.runIf(process.getuid?.() === 0)('a disk that is full', async () => {
    const disk = join(folder, 'disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'gaptrace-test', disk]);
    try {
      path = join(disk, 't.db');
      const recorder = await create();
      const failure = failureOf(recorder);
      await fill(recorder);
      expect(await failure).toMatchObject({ code: 'GAPTRACE_DISK_FULL' });
      expect(await recorder.close()).toMatchObject({ completed: false });
      expect(existsSync(`${path}-lock`)).toBe(false);
      const trace = openTrace(path); // completed elsewhere, as there is no room here
      expect(trace.endMarker).toBe(false);
      expect([...trace.holes()].map((hole) => hole.reason)).toContain('no-end-marker');
      expect(trace.operationCount()).toBeGreaterThan(0);
      trace.close();
    } finally {
      execFileSync('umount', [disk]);
    }
  });

  /** Records until it fails. */
  async function fill(recorder: Recorder): Promise<void> {
    recorder.opened(1, recorder.nowUs(), ADDRESSES);
    const value = `$1000\r\n${'v'.repeat(1000)}\r\n`;
    while (recorder.state === 'recording') {
      for (let n = 0; n < 100; n++)
        exchange(recorder, 1, Buffer.from(`*2\r\n$4\r\nECHO\r\n${value}`), Buffer.from(value));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }
});
