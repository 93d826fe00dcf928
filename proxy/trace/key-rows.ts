/**
 * Rows of `operation_key`, put into the table a key's together and keys in their order. In the order of the operations each row
 * would go to another page than the one before it: with 10,000 keys under load that was most of what indexing cost.
 */
import type Database from 'better-sqlite3';
import { RowBatch } from './row-batch.js';

/** Rows that wait at most. */
const WAITING_ROWS = 64 * 1024;

export class KeyRows {
  readonly #rows: RowBatch;
  /** By key, its operations in their order. */
  readonly #waiting = new Map<number, number[]>();
  #count = 0;

  constructor(database: Database.Database) {
    this.#rows = new RowBatch(database, 'INSERT OR IGNORE INTO operation_key', ['key', 'operation']);
  }

  /** One row. It is in the table after `flush`, or some time before. */
  add(key: number, operation: number): void {
    const operations = this.#waiting.get(key);
    if (operations === undefined) this.#waiting.set(key, [operation]);
    else operations.push(operation);
    this.#count += 1;
    if (this.#count >= WAITING_ROWS) this.flush();
  }

  flush(): void {
    for (const [key, operations] of [...this.#waiting].sort(([a], [b]) => a - b))
      for (const operation of operations) this.#rows.add(key, operation);
    this.#rows.flush();
    this.#waiting.clear();
    this.#count = 0;
  }
}
