/**
 * Blocks that are stored and not yet indexed, oldest first, in the trace itself. Indexing goes on where it stood: after a
 * slice of time, and in another process after the first one was killed.
 */
import type Database from 'better-sqlite3';
import type { Indexer } from '../indexer.js';
import { HEAD_BYTES, readBlock } from '../tape.js';

export interface Stored {
  readonly id: number;
  readonly block: Buffer;
}

export class Spool {
  readonly #insert: Database.Statement<[Buffer]>;
  readonly #after: Database.Statement<[number], Stored>;
  readonly #delete: Database.Statement<[number]>;
  readonly #transaction: (work: () => void) => void;
  /** The oldest block, while it is being indexed. */
  #current: Stored | null = null;
  #mayHaveMore = true;

  constructor(database: Database.Database) {
    this.#insert = database.prepare('INSERT INTO spool (block) VALUES (?)');
    this.#after = database.prepare('SELECT id, block FROM spool WHERE id > ? ORDER BY id LIMIT 1');
    this.#delete = database.prepare('DELETE FROM spool WHERE id = ?');
    const transaction = database.transaction((work: () => void) => work());
    this.#transaction = transaction.immediate;
  }

  /** Is there nothing to index? */
  get empty(): boolean {
    return !this.#mayHaveMore;
  }

  /** Stores all of these, or throws and stores none. */
  store(blocks: Iterable<Buffer>): void {
    this.#transaction(() => {
      for (const block of blocks) this.#insert.run(block);
    });
    this.#mayHaveMore = true;
  }

  /** The first block after one; 0: the oldest. */
  after(id: number): Stored | undefined {
    return this.#after.get(id);
  }

  /** A block is indexed. */
  delete(id: number): void {
    this.#delete.run(id);
  }

  /** Indexes until `enough` says so (asked after each record) or nothing is left, in one transaction. */
  index(indexer: Indexer, enough: () => boolean): void {
    this.#transaction(() => {
      for (;;) {
        this.#current ??= this.after(0) ?? null;
        if (this.#current === null) {
          this.#mayHaveMore = false;
          break;
        }
        if (!indexBlock(indexer, this.#current.block, enough)) break;
        this.delete(this.#current.id);
        this.#current = null;
        if (enough()) break;
      }
      indexer.save();
    });
  }
}

/** Goes on in a block where the indexer stands. True: the block is done, the next one begins at its start. */
export function indexBlock(indexer: Indexer, block: Buffer, enough: () => boolean): boolean {
  for (const record of readBlock(block.subarray(indexer.position))) {
    indexer.record(record);
    indexer.position += HEAD_BYTES + record.body.length;
    if (indexer.position < block.length && enough()) return false;
  }
  indexer.position = 0;
  return true;
}
