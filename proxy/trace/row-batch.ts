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
  /** Of the rows that wait; as long as `ROWS` rows are, always: an array that grows is copied as it does. */
  readonly #values: unknown[];
  #used = 0;

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
    this.#values = new Array<unknown>(ROWS * columns.length).fill(null);
  }

  /** One row, in the order of the columns. It is in the table after `flush`, or some time before. */
  add(...row: readonly unknown[]): void {
    const values = this.#values;
    for (let n = 0; n < row.length; n++) values[this.#used++] = row[n];
    if (this.#used < values.length) return;
    this.#used = 0;
    this.#many.run(...values);
  }

  flush(): void {
    const used = this.#used;
    this.#used = 0;
    for (let at = 0; at < used; at += this.#columns)
      this.#one.run(...this.#values.slice(at, at + this.#columns));
    this.#values.fill(null); // rows may hold on to a whole block
  }
}
