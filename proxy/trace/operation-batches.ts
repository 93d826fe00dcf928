/**
 * Rows of `operation` by the batch: what they hold in numbers as one JSON text, and what was said on the wire as two blocks of bytes. From SQLite to
 * JavaScript every value has its price, and a block of bytes the highest: row by row, a trace of millions takes twice as long
 * (docs/decisions/0018-rows-by-the-batch.md).
 */
import type Database from 'better-sqlite3';
import { BATCH, BATCHED, type BatchRow, BETWEEN, LARGE } from './batch-sql.js';
import { ReadAhead } from './read-ahead.js';
import { type CommandNames, type OperationNumbers, RecordedOperation } from './recorded-operation.js';

/** Where few match a condition, a batch is of those among so many ids. */
const MOST_IDS = 1 << 14;

const ENDS = `SELECT ifnull((SELECT min(id) FROM operation), 1) AS firstId,
  ifnull((SELECT max(id) FROM operation), 0) AS lastId`;

const NOTHING = Buffer.alloc(0);

/** The rest of a WHERE on `o`, without the ids. */
export interface Condition {
  /** SQL; empty: none. */
  readonly where: string;
  readonly values: readonly unknown[];
}

const ANY: Condition = { where: '', values: [] };

export class OperationBatches {
  readonly #database: Database.Database;
  readonly #commands: CommandNames;
  readonly #statements = new Map<string, Database.Statement<unknown[]>>();
  readonly #readsAhead: (ids: number) => boolean;

  /** `readsAhead`: whether so many ids are read by a second thread. Not of a trace that is being written. */
  constructor(database: Database.Database, commands: CommandNames, readsAhead: (ids: number) => boolean) {
    this.#database = database;
    this.#commands = commands;
    this.#readsAhead = readsAhead;
  }

  /** Those after one id and up to another, ascending. */
  *between(afterId: number, untilId: number, condition: Condition): Generator<RecordedOperation, void> {
    const { firstId, lastId } = this.ends();
    const statement = this.#batches(BETWEEN, condition);
    const endId = Math.min(untilId, lastId);
    const fromId = Math.max(afterId, firstId - 1);
    const isAhead = condition.where === '' && this.#readsAhead(endId - fromId);
    const ahead = isAhead ? new ReadAhead(this.#database.name, fromId, endId) : null;
    try {
      let ids = BATCH;
      for (let id = fromId; id < endId; ) {
        const read = ahead?.next() ?? statement.get(id, Math.min(id + ids, endId), ...condition.values);
        const batch = batchOf(read);
        for (const numbers of batch.rows) yield this.#operation(numbers, batch);
        id += ids;
        ids = ahead || batch.rows.length > BATCH / 2 ? BATCH : Math.min(2 * ids, MOST_IDS);
      }
    } finally {
      ahead?.close();
    }
  }

  /** Those that have one of some ids, each batch of ids in ascending order. */
  *among(batches: Iterable<readonly number[]>, condition: Condition): Generator<RecordedOperation, void> {
    const statement = this.#batches('o.id IN (SELECT value FROM json_each(?))', condition);
    for (const ids of batches) {
      const batch = batchOf(statement.get(JSON.stringify(ids), ...condition.values));
      for (const numbers of batch.rows) yield this.#operation(numbers, batch);
    }
  }

  one(id: number): RecordedOperation | undefined {
    const batch = batchOf(this.#batches('o.id = ?', ANY).get(id));
    const [numbers] = batch.rows;
    return numbers && this.#operation(numbers, batch);
  }

  /** The first id and the last; 1 and 0 where there is none. */
  ends(): { readonly firstId: number; readonly lastId: number } {
    return this.#prepared(ENDS).get() as { firstId: number; lastId: number };
  }

  #batches(ids: string, { where }: Condition): Database.Statement<unknown[], BatchRow> {
    const sql = `${BATCHED} WHERE ${ids}${where === '' ? '' : ` AND ${where}`}`;
    return this.#prepared(sql).raw() as Database.Statement<unknown[], BatchRow>;
  }

  /** There are few, as values are bound, and looks ask the same again and again. */
  #prepared(sql: string): Database.Statement<unknown[]> {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#database.prepare<unknown[]>(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** To be called for each row of the batch in its turn. */
  #operation(numbers: OperationNumbers, { requests, replies }: Batch): RecordedOperation {
    const [id, request, reply] = [numbers[0], numbers[12], numbers[14]];
    return new RecordedOperation(
      numbers,
      this.#commands,
      request > LARGE ? this.#large('request', id) : requests.next(request),
      reply === null ? null : reply > LARGE ? this.#large('reply', id) : replies.next(reply),
    );
  }

  #large(column: 'request' | 'reply', id: number): Buffer {
    return this.#prepared(`SELECT ${column} FROM operation WHERE id = ?`).pluck().get(id) as Buffer;
  }
}

interface Batch {
  readonly rows: readonly OperationNumbers[];
  readonly requests: Pieces;
  readonly replies: Pieces;
}

function batchOf(row: BatchRow | undefined): Batch {
  const [numbers, requests, replies] = row ?? ['[]', null, null];
  return {
    rows: JSON.parse(numbers) as OperationNumbers[],
    requests: new Pieces(requests),
    replies: new Pieces(replies),
  };
}

/** A block, piece by piece. */
class Pieces {
  readonly #block: Buffer;
  #at = 0;

  constructor(block: Uint8Array | null) {
    this.#block = block ? Buffer.from(block.buffer, block.byteOffset, block.length) : NOTHING;
  }

  next(bytes: number): Buffer {
    const from = this.#at;
    this.#at += bytes;
    return this.#block.subarray(from, this.#at);
  }
}
