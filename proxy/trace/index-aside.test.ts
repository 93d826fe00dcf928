// Two threads, one of which runs the built dist/.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Indexer } from '../indexer.js';
import { BlockWriter, FLAG_FLUSHED, HEAD_BYTES, RecordType } from '../tape.js';
import { expectSameFacts, realBlocks } from '../testing/real-tape.js';
import { createTrace } from './create.js';
import { indexAside } from './index-aside.js';
import { Spool } from './spool.js';
import { TraceWriter } from './writer.js';

let folder: string;
const open = new Set<Database.Database>();
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gaptrace-aside-'));
});
afterEach(() => {
  for (const database of open) database.close();
  open.clear();
  rmSync(folder, { recursive: true, force: true });
});

/** A trace of stored blocks, as a killed recorder leaves it. */
function stored(name: string, blocks: readonly Buffer[]): Database.Database {
  const database = createTrace(join(folder, name), { meta: {}, startedUnixUs: 0, writing: 'shared' });
  open.add(database);
  new Spool(database).store(blocks);
  return database;
}

function indexedAtOnce(blocks: readonly Buffer[]): Database.Database {
  const database = stored('at-once.db', blocks);
  const spool = new Spool(database);
  const indexer = new Indexer(new TraceWriter(database));
  while (!spool.empty) spool.index(indexer, () => false);
  return database;
}

const count = (table: string, database: Database.Database): unknown =>
  database.prepare(`SELECT count(*) FROM ${table}`).pluck().get();

describe('indexing by two threads', () => {
  it('makes the rows that one thread makes, and lets go of the trace', async () => {
    const blocks = await realBlocks(3000); // of a record each: many commits
    const database = stored('aside.db', blocks);
    expect(indexAside(database, new Spool(database), new TraceWriter(database), undefined)).toBe(true);
    expect(count('spool', database)).toBe(0);
    expect(count('operation', database)).toBeGreaterThan(1000);
    expectSameFacts(database, indexedAtOnce(blocks));
    // Nobody else has it open: only then can it leave WAL mode.
    expect(database.pragma('journal_mode = DELETE', { simple: true })).toBe('delete');
  });

  it('goes on where indexing stood, in the middle of a block', async () => {
    const records = await realBlocks(800);
    const blocks = [0, 100, 200, 300, 400, 500].map((at) => Buffer.concat(records.slice(at, at + 100)));
    const database = stored('aside.db', blocks);
    let before = 250;
    new Spool(database).index(new Indexer(new TraceWriter(database)), () => --before === 0);
    expect(count('spool', database)).toBe(4);
    expect(indexAside(database, new Spool(database), new TraceWriter(database), undefined)).toBe(true);
    expectSameFacts(database, indexedAtOnce(blocks));
  });

  it('keeps of each request what the trace keeps', async () => {
    const blocks = await realBlocks(800);
    const database = stored('aside.db', blocks);
    indexAside(database, new Spool(database), new TraceWriter(database), 1024);
    expect(database.prepare('SELECT max(length(request)) FROM operation').pluck().get()).toBeLessThanOrEqual(
      1024,
    );
    expect(database.prepare("SELECT count(*) > 0 FROM hole WHERE reason = 'cut'").pluck().get()).toBe(1);
  });

  it('begins the WAL anew, so that it does not grow with the trace', () => {
    const value = 'x'.repeat(4000);
    const blocks = Array.from({ length: 3000 }, (_, n) => {
      const block = new BlockWriter(Buffer.alloc(8192));
      block.write(
        RecordType.clientBytes,
        0,
        1,
        2 * n,
        Buffer.from(`*2\r\n$4\r\nECHO\r\n$4000\r\n${value}\r\n`),
      );
      block.write(RecordType.redisBytes, FLAG_FLUSHED, 1, 2 * n + 1, Buffer.from('+OK\r\n'));
      return block.buffer.subarray(0, block.length);
    });
    const database = stored('aside.db', blocks);
    database.pragma('journal_size_limit = 0');
    database.pragma('wal_checkpoint(TRUNCATE)');
    indexAside(database, new Spool(database), new TraceWriter(database), undefined);
    expect(count('operation', database)).toBe(3000);
    const bytes = (suffix: string) => statSync(join(folder, `aside.db${suffix}`)).size;
    expect(bytes('-wal')).toBeGreaterThan(0);
    expect(bytes('-wal')).toBeLessThan(bytes('') / 2);
  });

  it('says what the other thread stumbles over, and keeps nothing of that commit', async () => {
    const broken = new BlockWriter(Buffer.alloc(HEAD_BYTES + 9));
    broken.write(RecordType.note, 0, 0, 1, Buffer.from('no { JSON'));
    const blocks = [...(await realBlocks(300)), broken.buffer];
    const database = stored('aside.db', blocks);
    expect(() => indexAside(database, new Spool(database), new TraceWriter(database), undefined)).toThrow(
      /JSON/,
    );
    expect(count('spool', database)).toBe(blocks.length % 100);
    expect(database.inTransaction).toBe(false);
  });
});
