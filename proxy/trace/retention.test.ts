import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Indexer } from '../indexer.js';
import { BlockWriter, FLAG_FLUSHED, RecordType, readBlock, type RecordType as Type } from '../tape.js';
import { createTrace } from './create.js';
import { type Retain, Retention } from './retention.js';
import { TraceWriter } from './writer.js';

/** Records given one by one, at times of their own, to a trace that is kept small. */
class Kept {
  readonly database: Database.Database;
  readonly #indexer: Indexer;
  readonly #retention: Retention;

  constructor(path: string, retain: Retain) {
    this.database = createTrace(path, { meta: {}, startedUnixUs: 0, writing: 'shared' });
    const writer = new TraceWriter(this.database);
    this.#indexer = new Indexer(writer);
    this.#retention = new Retention(this.database, writer, retain);
  }

  record(type: Type, connection: number, atUs: number, body: Buffer | string = '', flags = 0): void {
    const bytes = Buffer.from(typeof body === 'string' ? Buffer.from(body) : body);
    const block = new BlockWriter(Buffer.alloc(bytes.length + 64));
    block.write(type, flags, connection, atUs, bytes);
    if (!this.database.inTransaction) this.database.exec('BEGIN IMMEDIATE');
    for (const record of readBlock(block.buffer.subarray(0, block.length))) this.#indexer.record(record);
    this.#indexer.save();
  }

  open(connection: number, atUs: number): void {
    this.record(RecordType.opened, connection, atUs, JSON.stringify({ client: 'c', upstream: 'u' }));
  }

  close(connection: number, atUs: number): void {
    const closed = { by: 'client', how: 'fin', unflushedToClient: 0, unflushedToRedis: 0 };
    this.record(RecordType.closed, connection, atUs, JSON.stringify(closed));
    this.record(RecordType.ended, connection, atUs);
  }

  set(connection: number, atUs: number, key: string, value = 'v'): void {
    this.ask(
      connection,
      atUs,
      `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${value.length}\r\n${value}\r\n`,
    );
    this.answer(connection, atUs + 10, '+OK\r\n');
  }

  ask(connection: number, atUs: number, request: string): void {
    this.record(RecordType.clientBytes, connection, atUs, request);
  }

  answer(connection: number, atUs: number, reply: string): void {
    this.record(RecordType.redisBytes, connection, atUs, reply, FLAG_FLUSHED);
  }

  commit(): void {
    if (this.database.inTransaction) this.database.exec('COMMIT');
  }

  /** Drops all that is due, a step at a time. Returns how many steps that took. */
  drop(): number {
    this.commit();
    let steps = 0;
    while (this.step()) steps += 1;
    return steps;
  }

  /** One step, committed. False where nothing is left to drop. */
  step(): boolean {
    return this.#retention.work(this.#indexer.watermarkUs, () => true);
  }

  get usedBytes(): number {
    const pragma = (name: string): number => this.database.pragma(name, { simple: true }) as number;
    return (pragma('page_count') - pragma('freelist_count')) * pragma('page_size');
  }

  rows<Row>(sql: string): Row[] {
    return this.database.prepare<[], Row>(sql).all();
  }

  values<Value>(sql: string): Value[] {
    return this.database.prepare<[], Value>(sql).pluck().all();
  }
}

const SECOND = 1_000_000;

let directory: string;
let kept: Kept;
const start = (retain: Retain): Kept => {
  kept = new Kept(join(directory, 't.db'), retain);
  return kept;
};
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'gaptrace-retention-'));
});
afterEach(() => {
  kept.database.close();
  rmSync(directory, { recursive: true });
});

describe('by time', () => {
  it('drops what was over before, and says where the trace begins', () => {
    const trace = start({ us: 10 * SECOND });
    trace.open(1, 0);
    for (let second = 1; second <= 30; second++) trace.set(1, second * SECOND, `key${second}`);
    trace.drop();
    const fromUs = 30 * SECOND + 10 - 10 * SECOND;
    expect(trace.values("SELECT value FROM meta WHERE key = 'retained_from_us'")).toEqual([String(fromUs)]);
    expect(trace.rows('SELECT from_us, to_us, connection, direction, reason FROM hole')).toEqual([
      { from_us: 0, to_us: fromUs, connection: null, direction: null, reason: 'retention' },
    ]);
    expect(trace.values('SELECT min(id) FROM operation')).toEqual([20]); // answered at that time
    expect(trace.values('SELECT name FROM key ORDER BY id LIMIT 2')).toEqual(['key20', 'key21']);
    expect(trace.values('SELECT count(*) FROM operation_key')).toEqual([11]);
    expect(trace.values('SELECT count(*) FROM connection')).toEqual([1]);
  });

  it('waits until a part of the time is over again', () => {
    const trace = start({ us: 10 * SECOND });
    trace.open(1, 0);
    for (let second = 1; second <= 10; second++) trace.set(1, second * SECOND, 'key');
    expect(trace.drop()).toBe(0);
    trace.set(1, 10.4 * SECOND, 'key');
    expect(trace.drop()).toBe(0);
    trace.set(1, 11.7 * SECOND, 'key');
    expect(trace.drop()).toBeGreaterThan(0);
    expect(trace.values('SELECT min(requested_us) FROM operation')).toEqual([2 * SECOND]);
  });

  it('keeps what is under way: a request without its reply, its key, and open connections', () => {
    const trace = start({ us: 10 * SECOND });
    for (const connection of [1, 2, 3]) trace.open(connection, 0);
    trace.ask(1, 1 * SECOND, '*3\r\n$5\r\nBLPOP\r\n$4\r\nlist\r\n$1\r\n0\r\n');
    trace.ask(3, 1 * SECOND, '*3\r\n$5\r\nBLPOP\r\n$6\r\nnobody\r\n$1\r\n0\r\n');
    trace.close(3, 2 * SECOND);
    for (let second = 2; second <= 30; second++) trace.set(2, second * SECOND, 'key');
    trace.drop();
    expect(trace.rows('SELECT id, requested_us, replied_us FROM operation ORDER BY id LIMIT 2')).toEqual([
      { id: 1, requested_us: SECOND, replied_us: null },
      { id: 21, requested_us: 20 * SECOND + 0, replied_us: 20 * SECOND + 10 },
    ]);
    expect(trace.values('SELECT name FROM key ORDER BY name')).toEqual(['key', 'list']);
    expect(trace.values('SELECT id FROM connection')).toEqual([1, 2]);
    trace.answer(1, 31 * SECOND, '*-1\r\n');
    expect(trace.values('SELECT replied_us FROM operation WHERE id = 1')).toEqual([31 * SECOND]);
    for (let second = 32; second <= 60; second++) trace.set(2, second * SECOND, 'key');
    trace.drop();
    expect(trace.values('SELECT name FROM key')).toEqual(['key']);
  });

  it('drops pushes, samples, holes and ended connections with the rest', () => {
    const trace = start({ us: 10 * SECOND });
    for (const connection of [1, 2]) trace.open(connection, 0);
    trace.ask(2, 10, '*2\r\n$9\r\nSUBSCRIBE\r\n$1\r\na\r\n');
    trace.answer(2, 20, '*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n');
    const dropped = (atUs: number) =>
      JSON.stringify({ fromClient: 5, fromRedis: 0, fromUs: atUs, toUs: atUs, reason: 'dropped' });
    for (let second = 1; second <= 30; second++) {
      const us = second * SECOND;
      trace.answer(2, us, '*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\nm\r\n');
      trace.record(
        RecordType.note,
        0,
        us,
        JSON.stringify({ note: 'redis-sample', values: { role: 'master' } }),
      );
      trace.open(100 + second, us);
      trace.set(100 + second, us + 5, 'key');
      trace.record(RecordType.dropped, 100 + second, us + 20, dropped(us + 20));
      trace.close(100 + second, us + 30);
    }
    trace.drop();
    const first = (sql: string) => (trace.values<number>(sql)[0] ?? 0) / SECOND;
    expect(first('SELECT min(received_us) FROM push')).toBe(21);
    expect(first('SELECT min(at_us) FROM redis_sample')).toBe(21);
    expect(first('SELECT min(opened_us) FROM connection WHERE id > 100')).toBeCloseTo(20, 0);
    expect(
      trace.values('SELECT count(*) FROM hole WHERE connection NOT IN (SELECT id FROM connection)'),
    ).toEqual([0]);
    expect(trace.values('SELECT count(*) FROM connection WHERE id <= 2')).toEqual([2]);
  });
});

describe('by size', () => {
  it('stays under it, with what is new, for as long as traffic goes on; a reader finds a whole trace at any time', () => {
    const bytes = 1024 * 1024;
    const trace = start({ bytes });
    trace.open(1, 0);
    let largest = 0;
    let at = 0;
    for (let round = 0; round < 60; round++) {
      for (let n = 0; n < 20; n++) trace.set(1, ++at * 1000, `key${at % 700}`, 'v'.repeat(4000));
      trace.drop();
      largest = Math.max(largest, trace.usedBytes);
    }
    expect(largest).toBeLessThan(bytes * 1.1);
    expect(trace.usedBytes).toBeGreaterThan(bytes * 0.7);
    expect(trace.values('SELECT max(id) FROM operation')).toEqual([at]);
    expect(trace.values('PRAGMA integrity_check')).toEqual(['ok']);
    expect(
      trace.values('SELECT count(*) FROM operation_key WHERE operation NOT IN (SELECT id FROM operation)'),
    ).toEqual([0]);
    expect(trace.values('SELECT count(*) FROM key WHERE id NOT IN (SELECT key FROM operation_key)')).toEqual([
      0,
    ]);
    // A key that was dropped and came again is found under its new row.
    expect(
      trace.values(`SELECT count(*) FROM operation o JOIN operation_key ok ON ok.operation = o.id JOIN key k ON k.id = ok.key
                    WHERE k.name = 'key${at % 700}' AND o.id = ${at}`),
    ).toEqual([1]);
  });

  it('does not drop everything for a flood that waits to be indexed', () => {
    const trace = start({ bytes: 1024 * 1024 });
    trace.open(1, 0);
    for (let n = 1; n <= 40; n++) trace.set(1, n * 1000, 'key', 'v'.repeat(4000));
    trace.drop();
    trace.database.prepare('INSERT INTO spool (block) VALUES (?)').run(Buffer.alloc(8 * 1024 * 1024));
    expect(trace.drop()).toBe(0);
    expect(trace.values('SELECT count(*) FROM operation')).toEqual([40]);
  });
});

it('says where the trace begins before anything is missing', () => {
  const trace = start({ us: 10 * SECOND });
  trace.open(1, 0);
  for (let n = 1; n <= 400; n++) trace.set(1, (n * SECOND) / 20, 'key');
  trace.commit();
  const reader = new Database(join(directory, 't.db'), { readonly: true });
  const state = reader.prepare<[], { holes: number; first: number }>(
    'SELECT (SELECT count(*) FROM hole) AS holes, (SELECT min(id) FROM operation) AS first',
  );
  const seen = [state.get()];
  while (trace.step()) seen.push(state.get());
  reader.close();
  expect(seen[0]).toEqual({ holes: 0, first: 1 });
  expect(seen[1]).toEqual({ holes: 1, first: 1 });
  expect(seen.at(-1)).toEqual({ holes: 1, first: 200 });
});
