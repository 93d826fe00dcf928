/**
 * Rows of one table that are inserted several at a time: a call into SQLite costs more than the row. (16 rows a statement took a
 * third off the cost of an operation; more than that, nothing further. docs/decisions/0012.)
 */
import type Database from 'better-sqlite3';

const ROWS = 16;

export class RowBatch {
  readonly #one: Database.Statement<unknown[]>;
  readonly #many: Database.Statement<unknown[]>;
  readonly #columns: number;
  #values: unknown[] = [];

  /**
   * `insert`: how the statement begins, up to the table's name. With a conflict clause (OR FAIL: the caller rolls back the whole
   * transaction): else SQLite copies each page first, to undo one statement of several rows.
   */
  constructor(database: Database.Database, insert: string, columns: readonly string[]) {
    const row = `(${columns.map(() => '?').join(', ')})`;
    const statement = (rows: number) =>
      database.prepare<unknown[]>(
        `${insert} (${columns.join(', ')}) VALUES ${new Array(rows).fill(row).join(', ')}`,
      );
    this.#one = statement(1);
    this.#many = statement(ROWS);
    this.#columns = columns.length;
  }

  /** One row, in the order of the columns. It is in the table after `flush`, or some time before. */
  add(...row: readonly unknown[]): void {
    this.#values.push(...row);
    if (this.#values.length < ROWS * this.#columns) return;
    this.#many.run(...this.#values);
    this.#values = [];
  }

  flush(): void {
    const values = this.#values;
    this.#values = [];
    for (let at = 0; at < values.length; at += this.#columns)
      this.#one.run(...values.slice(at, at + this.#columns));
  }
}
