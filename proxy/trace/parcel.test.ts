import { deserialize, serialize } from 'node:v8';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { Indexer } from '../indexer.js';
import { readBlock } from '../tape.js';
import { expectSameFacts, realBlocks } from '../testing/real-tape.js';
import type { Operation } from '../wire/operation.js';
import { type Parcel, ParcelReader, ParcelWriter } from './parcel.js';
import { SCHEMA } from './schema.js';
import { TraceWriter } from './writer.js';

const NOTHING_YET = { states: [], lastPush: 0, connections: [] };

function emptyTrace(): Database.Database {
  const database = new Database(':memory:');
  database.exec(SCHEMA);
  return database;
}

/** As it comes out of another thread. */
function carried(parcel: Parcel): Parcel {
  return deserialize(serialize(parcel)) as Parcel;
}

function operation(id: number, facts: Partial<Operation> = {}): Operation {
  return {
    ...{ id, sequence: id, command: 'GET', request: Buffer.from(`request ${id}`), requestLength: 9 },
    ...{ requestedUs: 10 * id, owed: 0, pipelined: false, transaction: null, keys: [], redactedBytes: 0 },
    ...{ replyKind: null, reply: null, replyLength: 0, repliedUs: null, flushedUs: null },
    ...facts,
  };
}

/** What some writing leaves, at once and by parcels of which each has one step. */
function bothWays(steps: readonly ((rows: TraceWriter | ParcelWriter) => void)[]): Database.Database {
  const [atOnce, byParcels] = [emptyTrace(), emptyTrace()];
  const direct = new TraceWriter(atOnce);
  const writer = new TraceWriter(byParcels);
  const [packing, unpacking] = [new ParcelWriter(NOTHING_YET, 3), new ParcelReader(writer)];
  for (const step of steps) {
    step(direct);
    step(packing);
    unpacking.unpack(carried(packing.parcel()));
  }
  direct.flush();
  writer.flush();
  expectSameFacts(byParcels, atOnce);
  return byParcels;
}

describe('rows by parcels', () => {
  it('are those of real traffic, wherever a parcel ends', async () => {
    const blocks = await realBlocks(1500);
    const [atOnce, byParcels] = [emptyTrace(), emptyTrace()];
    const direct = new Indexer(new TraceWriter(atOnce));
    const [packing, writer] = [new ParcelWriter(NOTHING_YET), new TraceWriter(byParcels)];
    const unpacking = new ParcelReader(writer);
    const aside = new Indexer(packing);
    blocks.forEach((block, n) => {
      for (const indexer of [direct, aside]) {
        for (const record of readBlock(block)) indexer.record(record);
        if (n % 50 === 49 || n === blocks.length - 1) indexer.save();
      }
      if (n % 3 === 0) unpacking.unpack(carried(packing.parcel()));
    });
    unpacking.unpack(carried(packing.parcel()));
    writer.flush();
    expect(byParcels.prepare('SELECT count(*) > 500 FROM operation').pluck().get()).toBe(1);
    expectSameFacts(byParcels, atOnce);
    const states = (database: Database.Database) =>
      new TraceWriter(database)
        .states()
        .map(({ connection, state }) => [connection, deserialize(state)] as const);
    expect(states(byParcels)).toEqual(states(atOnce));
  });

  it('an operation is what it was: empty, without a reply, in a transaction, with a key twice', () => {
    const database = bothWays([
      (rows) => {
        rows.operation(7, operation(1), null);
        rows.operation(7, operation(2, { request: Buffer.alloc(0), reply: Buffer.alloc(0) }), 1);
        const keys = ['a', 'b', 'a', 'kéy'].map((key) => Buffer.from(key));
        const answered = { replyKind: 'bulk', reply: Buffer.from('$1\r\nx\r\n'), replyLength: 7 } as const;
        rows.operation(8, operation(3, { ...answered, repliedUs: 0, flushedUs: 31, keys }), null);
        rows.operation(8, operation(4, { replyKind: 'none', keys: [Buffer.from([0, 255])] }), null);
      },
    ]);
    expect(database.prepare('SELECT reply FROM operation WHERE id < 3 ORDER BY id').pluck().all()).toEqual([
      null,
      Buffer.alloc(0),
    ]);
  });

  it('a reply that comes later finds its request, in the same parcel and in the next', () => {
    const replied = {
      replyKind: 'simple',
      reply: Buffer.from('+OK\r\n'),
      replyLength: 5,
      repliedUs: 99,
    } as const;
    const database = bothWays([
      (rows) => {
        rows.operation(1, operation(1), null);
        rows.operationReply(operation(1, replied));
        rows.operation(1, operation(2), null);
      },
      (rows) => rows.operationReply(operation(2, replied)),
    ]);
    expect(database.prepare('SELECT replied_us FROM operation').pluck().all()).toEqual([99, 99]);
  });

  it('a request of many megabytes', () => {
    const large = Buffer.alloc(5 << 20, 'x');
    bothWays([(rows) => rows.operation(1, operation(1, { request: large, reply: large }), null)]);
  });

  it('more keys than are remembered', () => {
    const keyed = (id: number, key: number) => operation(id, { keys: [Buffer.from(`key ${key}`)] });
    const database = bothWays(
      [1, 2, 3, 4, 1, 5, 4, 6].map((key, n) => (rows) => rows.operation(1, keyed(n + 1, key), null)),
    );
    const twice = database.prepare(
      'SELECT name FROM operation_key JOIN key ON id = key GROUP BY key HAVING count(*) = 2 ORDER BY 1',
    );
    expect(twice.pluck().all()).toEqual(['key 1', 'key 4']);
  });
});
