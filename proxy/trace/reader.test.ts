import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { importCapture } from '../import/import.js';
import { openTrace } from './open.js';
import type { OperationFilter, Trace } from './trace.js';

let folder: string;
let trace: Trace;

const data = (t: number, conn: number, from: string, bytes: string | Buffer): object => ({
  t,
  conn,
  ev: 'data',
  from,
  b64: Buffer.from(bytes).toString('base64'),
});

/** Two connections: one with plain keys, one whose key and value are not UTF-8. */
const CAPTURE: readonly object[] = [
  { format: 'redis-wire-capture/1', started_unix_ms: 1000, delay_ms: 0 },
  { t: 1, conn: 1, ev: 'open' },
  { t: 2, conn: 2, ev: 'open' },
  data(10, 1, 'client', '*3\r\n$3\r\nSET\r\n$6\r\nroom:a\r\n$5\r\nhello\r\n'),
  data(11, 1, 'redis', '+OK\r\n'),
  data(20, 2, 'client', Buffer.from('*3\r\n$4\r\nMSET\r\n$2\r\n\xff*\r\n$2\r\n\xfe\xfd\r\n', 'latin1')),
  data(21, 2, 'redis', '-ERR wrong number of arguments\r\n'),
  data(30, 1, 'client', 'mget room:a room:b\r\n'),
  data(31, 1, 'redis', '*2\r\n$5\r\nhello\r\n$-1\r\n'),
  data(40, 2, 'client', 'SUBSCRIBE news sport\r\n'),
  data(
    41,
    2,
    'redis',
    '*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n*3\r\n$9\r\nsubscribe\r\n$5\r\nsport\r\n:2\r\n',
  ),
  data(45, 2, 'redis', Buffer.from('*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$2\r\n\xfe\xfd\r\n', 'latin1')),
  data(46, 2, 'redis', '*3\r\n$7\r\nmessage\r\n$5\r\nsport\r\n$2\r\nhi\r\n'),
  data(50, 1, 'client', 'BLPOP room:queue 0\r\n'),
  { t: 60, conn: 1, ev: 'close', from: 'client' },
  { t: 61, conn: 1, ev: 'close', from: 'redis' },
];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'gaptrace-reader-'));
  const file = join(folder, 'c.jsonl');
  const path = join(folder, 't.db');
  writeFileSync(file, CAPTURE.map((object) => `${JSON.stringify(object)}\n`).join(''));
  await importCapture({ file, trace: path });
  trace = openTrace(path);
});
afterAll(() => {
  trace.close();
  rmSync(folder, { recursive: true, force: true });
});

const commands = (filter: OperationFilter): string[] => [...trace.operations(filter)].map((o) => o.command);

describe('operations', () => {
  it('come in order, with words and replies decoded', () => {
    const [set, mset, mget, subscribe, blpop] = [...trace.operations()];
    expect(set?.args.map(String)).toEqual(['SET', 'room:a', 'hello']);
    expect(set?.reply).toEqual({ kind: 'simple', text: 'OK' });
    expect(mset?.args[1]).toEqual(Buffer.from([0xff, 0x2a]));
    expect(mset?.reply).toEqual({ kind: 'error', text: 'ERR wrong number of arguments' });
    expect(mget?.args.map(String)).toEqual(['mget', 'room:a', 'room:b']);
    expect(mget?.reply).toMatchObject({
      kind: 'array',
      items: [{ kind: 'bulk' }, { kind: 'null', form: 'bulk' }],
    });
    expect(subscribe?.reply).toMatchObject({ items: [{}, {}, { kind: 'integer', value: 1n }] });
    expect(blpop).toMatchObject({ command: 'BLPOP', replyKind: null, repliedUs: null, reply: null });
  });

  it('one by its id', () => {
    expect(trace.operation(3)).toMatchObject({ id: 3, command: 'MGET', connection: 1, requestedUs: 30 });
    expect(trace.operation(99)).toBeUndefined();
    expect(trace.operationCount()).toBe(5);
  });

  it('can be read inside one another', () => {
    const pairs: string[] = [];
    for (const outer of trace.operations({ commands: ['SET'] }))
      for (const inner of trace.operations({ connection: outer.connection }))
        pairs.push(`${outer.command} ${inner.command} ${trace.operation(inner.id)?.command}`);
    expect(pairs).toEqual(['SET SET SET', 'SET MGET MGET', 'SET BLPOP BLPOP']);
  });

  it('several questions, of one moment', () => {
    const copy = join(folder, 'written.db');
    copyFileSync(trace.path, copy);
    const writer = new Database(copy);
    writer.pragma('journal_mode = WAL'); // as a recorder writes
    const insert = writer.prepare("INSERT INTO meta VALUES (?, 'x')");
    const reader = openTrace(copy);
    try {
      const before = reader.meta.size;
      reader.snapshot(() => {
        expect(reader.meta.size).toBe(before);
        insert.run('one');
        expect(reader.meta.size).toBe(before);
      });
      expect(reader.meta.size).toBe(before + 1);
      expect(() =>
        reader.snapshot(() => {
          throw new RangeError('of the caller');
        }),
      ).toThrow(RangeError);
      insert.run('two');
      expect(reader.meta.size).toBe(before + 2);
    } finally {
      reader.close();
      writer.close();
    }
  });

  it('that are read one after the other, of one moment', () => {
    const copy = join(folder, 'growing.db');
    copyFileSync(trace.path, copy);
    const writer = new Database(copy);
    writer.pragma('journal_mode = WAL');
    const reader = openTrace(copy);
    try {
      const ids: number[] = [];
      for (const { id } of reader.operations()) {
        if (id === 1) writer.exec('DELETE FROM operation WHERE id > 2');
        ids.push(id, reader.operationCount());
      }
      expect(ids).toEqual([1, 5, 2, 5, 3, 5, 4, 5, 5, 5]);
      expect(reader.operationCount()).toBe(2);
    } finally {
      reader.close();
      writer.close();
    }
  });

  it.each<[string, OperationFilter, string[]]>([
    ['commands', { commands: ['SET', 'BLPOP', 'NOPE'] }, ['SET', 'BLPOP']],
    ['no commands', { commands: [] }, []],
    ['a key', { key: 'room:b' }, ['MGET']],
    ['a glob', { key: 'room:*' }, ['SET', 'MGET', 'BLPOP']],
    ['a glob with a set', { key: 'room:[b-z]' }, ['MGET']],
    ['a glob with an escape', { key: 'room\\:a' }, ['SET', 'MGET']],
    ['a glob on a key of bytes', { key: '?\\*' }, ['MSET']],
    ['a key that is not there', { key: 'none*' }, []],
    ['a connection', { connection: 2 }, ['MSET', 'SUBSCRIBE']],
    ['since', { sinceUs: 30 }, ['MGET', 'SUBSCRIBE', 'BLPOP']],
    ['until', { untilUs: 30 }, ['SET', 'MSET']],
    ['any of some connections', { connections: [2, 9] }, ['MSET', 'SUBSCRIBE']],
    ['after an id', { afterId: 4 }, ['BLPOP']],
    ['up to an id', { untilId: 2 }, ['SET', 'MSET']],
    ['ids', { ids: [1, 3, 99] }, ['SET', 'MGET']],
    ['ids and more', { ids: [1, 3, 5], commands: ['MGET', 'MSET'] }, ['MGET']],
    ['text of a request or a reply', { text: 'hello' }, ['SET', 'MGET']],
    ['text only in a reply', { text: 'wrong number' }, ['MSET']],
    ['several at once', { connection: 1, key: 'room:a', sinceUs: 20 }, ['MGET']],
  ])('by %s', (_, filter, expected) => {
    expect(commands(filter)).toEqual(expected);
  });
});

describe('numbers of operations', () => {
  it('by whole names of keys, within a span', () => {
    expect([...trace.operationIds(['room:a', 'room:b', 'none'], 1, 100)]).toEqual([1, 3]);
    expect([...trace.operationIds(['room:a'], 2, 100)]).toEqual([3]);
    expect([...trace.operationIds(['room:a'], 1, 3)]).toEqual([1]);
    expect([...trace.operationIds(['room:*'], 1, 100)]).toEqual([]);
  });

  it('by time', () => {
    const asked = [Number.NEGATIVE_INFINITY, 10, 11, 30, 50, 51, Number.POSITIVE_INFINITY];
    expect(asked.map((us) => trace.idAt(us))).toEqual([1, 1, 2, 3, 5, 6, 6]);
  });

  it('counted within a span', () => {
    expect([trace.operationCount(2), trace.operationCount(0, 4), trace.operationCount(1, 3)]).toEqual([
      3, 4, 2,
    ]);
  });

  it('how connections were used, without what was said', () => {
    const whole = [...trace.operations()];
    for (const [at, use] of [...trace.uses()].entries()) expect(whole[at]).toMatchObject(use);
    expect([...trace.uses()]).toHaveLength(5);
  });
});

it('tells how many rows it has read', async () => {
  const path = join(folder, 'large.db');
  await importCapture({ file: join('examples', 'v5.capture.jsonl.gz'), trace: path });
  const told: number[] = [];
  const large = openTrace(path, { onRead: (rows) => told.push(rows) });
  expect([...large.operations()]).toHaveLength(11_810);
  expect(told).toEqual([4096, 8192]);
  large.close();
});

describe('pushes', () => {
  it('come in order, with channel and frame decoded, and when they were handed on', () => {
    const [news, sport, ...rest] = [...trace.pushes()];
    expect(news).toMatchObject({ id: 1, connection: 2, kind: 'message', receivedUs: 45, flushedUs: 45 });
    expect(news?.channel?.toString()).toBe('news');
    expect(news?.frame).toMatchObject({
      kind: 'array',
      items: [{}, {}, { bytes: Buffer.from([0xfe, 0xfd]) }],
    });
    expect(sport?.channel?.toString()).toBe('sport');
    expect(rest).toEqual([]);
  });

  it('of some kinds', () => {
    expect([...trace.pushes(['message'])]).toHaveLength(2);
    expect([...trace.pushes(['invalidate'])]).toEqual([]);
  });

  it('that were cut have a length, and no frame', async () => {
    const file = join(folder, 'cut.jsonl');
    const path = join(folder, 'cut.db');
    const long = 'x'.repeat(2_000_000);
    const capture = [
      CAPTURE[0],
      { t: 1, conn: 1, ev: 'open' },
      data(2, 1, 'client', 'SUBSCRIBE news\r\n'),
      data(3, 1, 'redis', '*3\r\n$9\r\nsubscribe\r\n$4\r\nnews\r\n:1\r\n'),
      data(4, 1, 'redis', `*3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$${long.length}\r\n${long}\r\n`),
    ];
    writeFileSync(file, capture.map((object) => `${JSON.stringify(object)}\n`).join(''));
    await importCapture({ file, trace: path });
    const cut = openTrace(path);
    const [push] = [...cut.pushes()];
    expect(push?.length).toBeGreaterThan(long.length);
    expect(push?.channel?.toString()).toBe('news');
    expect(push?.frame).toBeNull();
    cut.close();
  });
});

describe('connections and holes', () => {
  it('say who closed', () => {
    expect([...trace.connections()]).toMatchObject([
      { id: 1, closedBy: 'client', closedUs: 60, endedUs: 61 },
      { id: 2, closedBy: null, closedUs: null, respVersion: 2, bytesFromClient: 52 },
    ]);
    expect(trace.connection(2)?.openedUs).toBe(2);
    expect(trace.connection(3)).toBeUndefined();
    expect([...trace.holes()]).toEqual([]);
  });
});

describe('sql', () => {
  it('reads', () => {
    expect([...trace.sql("SELECT count(*) AS n FROM operations WHERE command = 'SET'")]).toEqual([{ n: 1 }]);
    expect([
      ...trace.sql('-- a comment\n/* and\nanother */ WITH x AS (VALUES (1)) SELECT * FROM x;'),
    ]).toHaveLength(1);
    expect([...trace.sql('EXPLAIN QUERY PLAN SELECT 1')]).not.toEqual([]);
  });

  it.each([
    'DELETE FROM operation',
    'INSERT INTO meta VALUES (1, 2)',
    'WITH x AS (SELECT 1) DELETE FROM operation',
    'CREATE TABLE t (a)',
    'CREATE TEMP TABLE t (a)',
    "ATTACH 'other.db' AS other",
    'DETACH main',
    'PRAGMA journal_mode = DELETE',
    'PRAGMA user_version = 3',
    'PRAGMA writable_schema = 1',
    'VACUUM',
    "VACUUM INTO 'copy.db'",
    'BEGIN',
    'SELEC 1',
    'SELECT * FROM nothing',
    'SELECT 1; SELECT 2',
    'SELECT ?',
    "SELECT load_extension('x')",
    '',
  ])('refuses %s', (statement) => {
    expect(() => [...trace.sql(statement)]).toThrow(
      expect.objectContaining({ name: 'GaptraceError', code: 'GAPTRACE_SQL', exitStatus: 2 }),
    );
    expect(trace.operationCount()).toBe(5);
  });
});
