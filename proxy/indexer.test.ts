import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Indexer } from './indexer.js';
import { BlockWriter, FLAG_FLUSHED, RecordType, readBlock } from './tape.js';
import { expectSameFacts, realBlocks } from './testing/real-tape.js';
import { SCHEMA } from './trace/schema.js';
import { TraceWriter } from './trace/writer.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gaptrace-indexer-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function emptyTrace(): Database.Database {
  const database = new Database(':memory:');
  database.exec(SCHEMA);
  return database;
}

/** A block of these records. */
function tape(
  records: readonly (readonly [RecordType, number, number, string | object | number, number?])[],
): Buffer {
  const block = new BlockWriter(Buffer.alloc(1 << 20));
  for (const [type, connection, atUs, what, flags] of records) {
    let body: Buffer;
    if (typeof what === 'string') body = Buffer.from(what);
    else if (typeof what === 'object') body = Buffer.from(JSON.stringify(what));
    else {
      body = Buffer.alloc(8);
      body.writeDoubleLE(what, 0);
    }
    block.write(type, flags ?? 0, connection, atUs, body);
  }
  return block.buffer.subarray(0, block.length);
}

function indexed(block: Buffer): Database.Database {
  const database = emptyTrace();
  const indexer = new Indexer(new TraceWriter(database));
  for (const record of readBlock(block)) indexer.record(record);
  indexer.save();
  return database;
}

const ADDRESSES = { client: '127.0.0.1:1', upstream: '127.0.0.1:6379' };
const get = (sql: string, database: Database.Database): unknown => database.prepare(sql).get();

describe('records into rows', () => {
  it('a request and its reply', () => {
    const database = indexed(
      tape([
        [RecordType.opened, 1, 10, ADDRESSES],
        [RecordType.clientBytes, 1, 20, '*2\r\n$3\r\nGET\r\n$1\r\na\r\n'],
        [RecordType.redisBytes, 1, 30, '$1\r\nx\r\n'],
        [RecordType.flushed, 1, 40, 7],
      ]),
    );
    expect(get('SELECT * FROM operations', database)).toMatchObject({
      id: 1,
      connection: 1,
      command: 'GET',
      first_key: 'a',
      requested_us: 20,
      replied_us: 30,
      flushed_us: 40,
      reply_kind: 'bulk',
    });
    expect(get('SELECT * FROM connection', database)).toMatchObject({
      opened_us: 10,
      client_address: '127.0.0.1:1',
      bytes_from_client: 20,
      bytes_from_redis: 7,
      closed_us: null,
    });
  });

  it('a request that waits has a row, and gets its reply later', () => {
    const database = emptyTrace();
    const indexer = new Indexer(new TraceWriter(database));
    const feed = (block: Buffer) => {
      for (const record of readBlock(block)) indexer.record(record);
      indexer.save();
    };
    feed(
      tape([
        [RecordType.opened, 1, 10, ADDRESSES],
        [RecordType.clientBytes, 1, 20, '*3\r\n$8\r\nBZPOPMIN\r\n$1\r\nq\r\n$1\r\n5\r\n'],
      ]),
    );
    expect(get('SELECT command, replied_us, reply_kind FROM operations', database)).toEqual({
      command: 'BZPOPMIN',
      replied_us: null,
      reply_kind: null,
    });
    feed(tape([[RecordType.redisBytes, 1, 30, '*-1\r\n']]));
    expect(get('SELECT replied_us, flushed_us, reply_kind FROM operations', database)).toEqual({
      replied_us: 30,
      flushed_us: null,
      reply_kind: 'null',
    });
    feed(tape([[RecordType.flushed, 1, 45, 5]]));
    expect(get('SELECT count(*) AS n, max(flushed_us) AS flushed_us FROM operations', database)).toEqual({
      n: 1,
      flushed_us: 45,
    });
  });

  it('commands queued under a MULTI point to it', () => {
    const database = indexed(
      tape([
        [RecordType.opened, 7, 0, ADDRESSES],
        [RecordType.clientBytes, 7, 1, 'PING\r\nMULTI\r\nGET a\r\nEXEC\r\nPING\r\nMULTI\r\nDISCARD\r\n'],
        [RecordType.redisBytes, 7, 2, '+PONG\r\n+OK\r\n+QUEUED\r\n*1\r\n$-1\r\n+PONG\r\n+OK\r\n+OK\r\n', 1],
      ]),
    );
    expect(database.prepare('SELECT transaction_id FROM operation ORDER BY id').pluck().all()).toEqual([
      null,
      2,
      2,
      2,
      null,
      6,
      6,
    ]);
  });

  it('keys once each, text where it is text', () => {
    const database = indexed(
      tape([
        [RecordType.opened, 1, 0, ADDRESSES],
        [RecordType.clientBytes, 1, 1, 'DEL a b a "\\xff" ""\r\nGET "n\\x00l"\r\n'],
      ]),
    );
    expect(
      database
        .prepare(
          'SELECT typeof(name) AS type, hex(name) AS name, count(*) AS n FROM key JOIN operation_key ON key = id GROUP BY id',
        )
        .all(),
    ).toEqual([
      { type: 'text', name: '61', n: 1 },
      { type: 'text', name: '62', n: 1 },
      { type: 'blob', name: 'FF', n: 1 },
      { type: 'text', name: '', n: 1 },
      { type: 'blob', name: '6E006C', n: 1 },
    ]);
  });

  it('a blanked password is a hole, once', () => {
    const database = emptyTrace();
    const indexer = new Indexer(new TraceWriter(database));
    for (const [type, what] of [
      [RecordType.opened, ADDRESSES],
      [RecordType.clientBytes, 'AUTH **** *******\r\n'],
      [RecordType.redisBytes, '+OK\r\n'],
      [RecordType.flushed, 5],
    ] as const) {
      for (const record of readBlock(tape([[type, 1, 5, what]]))) indexer.record(record);
      indexer.save();
    }
    expect(database.prepare('SELECT connection, direction, bytes, reason, detail FROM hole').all()).toEqual([
      {
        connection: 1,
        direction: 'client',
        bytes: 11,
        reason: 'redacted',
        detail: 'secrets in AUTH (operation 1) are blanked',
      },
    ]);
  });

  it('who closed, and when it was over', () => {
    const database = indexed(
      tape([
        [RecordType.opened, 1, 0, ADDRESSES],
        [
          RecordType.closed,
          1,
          5,
          { by: 'redis', how: 'error', detail: 'ECONNREFUSED', unflushedToClient: 3, unflushedToRedis: 4 },
        ],
        [RecordType.ended, 1, 9, ''],
      ]),
    );
    expect(get('SELECT * FROM connection', database)).toMatchObject({
      closed_us: 5,
      closed_by: 'redis',
      closed_how: 'error',
      closed_detail: 'ECONNREFUSED',
      ended_us: 9,
      unflushed_to_client: 3,
      unflushed_to_redis: 4,
    });
    expect(get('SELECT count(*) AS n FROM conversation WHERE connection > 0', database)).toEqual({ n: 0 });
  });

  it('notes: facts of the trace, samples of Redis', () => {
    const database = indexed(
      tape([
        [RecordType.note, 0, 3, { note: 'meta', values: { redis_version: '7.0.15' } }],
        [RecordType.note, 0, 4, { note: 'redis-sample', values: { role: 'master', run_id: 'x' } }],
      ]),
    );
    expect(get("SELECT value FROM meta WHERE key = 'redis_version'", database)).toEqual({ value: '7.0.15' });
    expect(get("SELECT value FROM meta WHERE key = 'watermark_us'", database)).toEqual({ value: '4' });
    expect(database.prepare('SELECT * FROM redis_sample ORDER BY field').all()).toEqual([
      { at_us: 4, field: 'role', value: 'master' },
      { at_us: 4, field: 'run_id', value: 'x' },
    ]);
  });

  it('a connection that was open before has a hole', () => {
    const database = indexed(tape([[RecordType.redisBytes, 3, 50, '+OK\r\n']]));
    expect(get('SELECT * FROM connection', database)).toMatchObject({ id: 3, opened_us: 50 });
    expect(get('SELECT connection, reason FROM hole', database)).toEqual({
      connection: 3,
      reason: 'began-before',
    });
  });

  it('bytes after the end are counted', () => {
    const database = indexed(
      tape([
        [RecordType.opened, 1, 0, ADDRESSES],
        [RecordType.ended, 1, 5, ''],
        [RecordType.redisBytes, 1, 6, '+OK\r\n'],
        [RecordType.flushed, 1, 6, 5],
      ]),
    );
    expect(get('SELECT connection, direction, bytes, reason FROM hole', database)).toEqual({
      connection: 1,
      direction: 'redis',
      bytes: 5,
      reason: 'after-end',
    });
  });

  it('dropped bytes are a hole and count among the bytes that passed', () => {
    const database = indexed(
      tape([
        [RecordType.opened, 1, 0, ADDRESSES],
        [RecordType.clientBytes, 1, 1, 'PING\r\n'],
        [RecordType.redisBytes, 1, 2, '+PONG\r\n', 1],
        [RecordType.dropped, 1, 9, { fromClient: 100, fromRedis: 0, fromUs: 3, toUs: 9, reason: 'dropped' }],
        [RecordType.ended, 1, 10, ''],
      ]),
    );
    expect(get('SELECT bytes_from_client, bytes_from_redis FROM connection', database)).toEqual({
      bytes_from_client: 106,
      bytes_from_redis: 7,
    });
    expect(get("SELECT sum(bytes) AS bytes FROM hole WHERE direction = 'client'", database)).toEqual({
      bytes: 100,
    });
  });
});

describe('going on in another process', () => {
  it('a push that was not handed on yet stays one row', () => {
    const database = emptyTrace();
    const first = new Indexer(new TraceWriter(database));
    const message = '*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n';
    for (const record of readBlock(
      tape([
        [RecordType.opened, 1, 0, ADDRESSES],
        [RecordType.clientBytes, 1, 1, 'SUBSCRIBE c\r\n'],
        [RecordType.redisBytes, 1, 2, '*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n', FLAG_FLUSHED],
        [RecordType.redisBytes, 1, 3, message],
        [RecordType.redisBytes, 1, 4, message],
      ]),
    ))
      first.record(record);
    first.save();
    const second = new Indexer(new TraceWriter(database));
    for (const record of readBlock(tape([[RecordType.flushed, 1, 7, 31 + message.length]])))
      second.record(record);
    second.save();
    expect(
      database.prepare('SELECT kind, channel, received_us, flushed_us FROM push ORDER BY id').all(),
    ).toEqual([
      { kind: 'message', channel: 'c', received_us: 3, flushed_us: 7 },
      { kind: 'message', channel: 'c', received_us: 4, flushed_us: null },
    ]);
  });

  it('at any record, gives the rows that one process would have made', async () => {
    const blocks = await realBlocks(1500);
    const whole = indexed(Buffer.concat(blocks));
    const parts = emptyTrace();
    let indexer = new Indexer(new TraceWriter(parts));
    blocks.forEach((block, n) => {
      for (const record of readBlock(block)) indexer.record(record);
      if (n % 3 !== 0) return;
      indexer.save();
      indexer = new Indexer(new TraceWriter(parts));
    });
    indexer.save();
    expect(get('SELECT count(*) > 500 AS enough FROM operation', whole)).toEqual({ enough: 1 });
    expectSameFacts(parts, whole);
  });
});
