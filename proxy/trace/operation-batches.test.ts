// The second thread runs the built dist/.
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Condition, OperationBatches } from './operation-batches.js';
import { CommandNames } from './recorded-operation.js';
import { SCHEMA } from './schema.js';

/** Bytes that SQLite could take for the end of a text, for what separates texts, or for no text at all. */
const BYTES = Buffer.from([0, 255, 192, 10, 44, 34, 93, 226, 130]);
const FIRST_ID = 1001;
const LAST_ID = 1300;
/** A connection with few operations, then with all. */
const RARE = 7;

interface Written {
  readonly id: number;
  readonly connection: number;
  /** The second word of the request. */
  readonly word: Buffer;
  /** Null: none came. */
  readonly answer: Buffer | null;
}

const bytes = (size: number): Buffer => Buffer.alloc(size, BYTES);

/** Small and large ones side by side; some ids are missing. */
const WRITTEN: readonly Written[] = Array.from({ length: LAST_ID - FIRST_ID + 1 }, (_, at) => ({
  id: FIRST_ID + at,
  connection: at % 50 === 0 || at > 200 ? RARE : 1,
  word: bytes(at % 40 === 3 ? 5000 + at : (at % 9) + 1),
  answer: at % 5 === 0 ? null : bytes(at % 60 === 7 ? 70_000 : at % 4),
})).filter(({ id }) => id % 17 !== 0);

function bulk(value: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`$${value.length}\r\n`), value, Buffer.from('\r\n')]);
}

function written(path: string): Database.Database {
  const database = new Database(path);
  database.exec(SCHEMA);
  database.prepare("INSERT INTO command VALUES (1, 'ECHO')").run();
  const insert = database.prepare(
    `INSERT INTO operation (id, connection, sequence, command, requested_us, owed, pipelined, request, request_length, reply, reply_length)
      VALUES (?, ?, 1, 1, ?, 0, 0, ?, ?, ?, ?)`,
  );
  for (const { id, connection, word, answer } of WRITTEN) {
    const request = Buffer.concat([Buffer.from('*2\r\n$4\r\nECHO\r\n'), bulk(word)]);
    const reply = answer && bulk(answer);
    insert.run(id, connection, id * 10, request, request.length, reply, reply?.length ?? 0);
  }
  return database;
}

function batchesOf(database: Database.Database, readsAhead: boolean): OperationBatches {
  const names = database.prepare<[], [number, string]>('SELECT id, name FROM command').raw();
  return new OperationBatches(database, new CommandNames(() => names.all()), () => readsAhead);
}

const folder = mkdtempSync(join(tmpdir(), 'gaptrace-batches-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ANY: Condition = { where: '', values: [] };

function writtenOf(operation: ReturnType<OperationBatches['one']>): Written | undefined {
  if (!operation) return undefined;
  const { id, connection, args, reply } = operation;
  return {
    id,
    connection,
    word: args[1] as Buffer,
    answer: reply?.kind === 'bulk' ? reply.bytes : null,
  };
}

describe.each([
  ['one thread', ':memory:', false],
  ['two threads', join(folder, 'trace.db'), true],
  ['one, where the other cannot open the trace', ':memory:', true],
])('operations by the batch, read by %s', (_, path, readsAhead) => {
  let database: Database.Database;
  let batches: OperationBatches;
  beforeAll(() => {
    database = written(path);
    batches = batchesOf(database, readsAhead);
  });
  afterAll(() => database.close());

  function between(afterId: number, untilId: number, condition: Condition = ANY) {
    return [...batches.between(afterId, untilId, condition)].map(writtenOf);
  }

  it('have the bytes that were written, whatever they are and however many', () => {
    expect(between(0, Number.MAX_SAFE_INTEGER)).toEqual(WRITTEN);
  });

  it.each([
    [FIRST_ID - 1, LAST_ID],
    [FIRST_ID, LAST_ID - 1],
    [1100, 1101],
    [1100, 1100],
    [LAST_ID, LAST_ID + 100],
  ])('are those after %i and up to %i', (afterId, untilId) => {
    expect(between(afterId, untilId)).toEqual(WRITTEN.filter(({ id }) => id > afterId && id <= untilId));
  });

  it('are those that match, where few do and where all do', () => {
    expect(between(0, LAST_ID, { where: 'o.connection = ?', values: [RARE] })).toEqual(
      WRITTEN.filter(({ connection }) => connection === RARE),
    );
  });

  it('are those of some ids that match, in the order of ids', () => {
    const condition = { where: 'o.connection = ?', values: [RARE] };
    const ids = [[], [1001, 1002, 1051, 1299], [1300, 9999]];
    expect([...batches.among(ids, condition)].map(writtenOf)).toEqual(
      WRITTEN.filter(({ id, connection }) => ids.flat().includes(id) && connection === RARE),
    );
  });

  it('can be one', () => {
    expect(writtenOf(batches.one(1004))).toEqual(WRITTEN.find(({ id }) => id === 1004));
    expect(batches.one(17 * 60)).toBeUndefined();
  });
});

it('are none in an empty trace', () => {
  const empty = new Database(':memory:');
  empty.exec(SCHEMA);
  expect([...batchesOf(empty, false).between(0, Number.MAX_SAFE_INTEGER, ANY)]).toEqual([]);
  empty.close();
});

it('lets go of the trace when no more is wanted', async () => {
  const path = join(folder, 'left.db');
  const database = written(path);
  const opened = (): number =>
    readdirSync('/proc/self/fd').filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`) === path;
      } catch {
        return false; // the one that reads the folder
      }
    }).length;
  for (const { id } of batchesOf(database, true).between(0, LAST_ID, ANY)) {
    expect(id).toBe(FIRST_ID);
    expect(opened()).toBe(2);
    break;
  }
  while (opened() > 1) await new Promise((resolve) => setTimeout(resolve, 10));
  database.close();
});
