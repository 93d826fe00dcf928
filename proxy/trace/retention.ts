/**
 * `--retain`: the oldest facts are dropped whole, so that a trace that is recorded for weeks stays as large, or goes as far back, as
 * the user wants. A cut goes to a moment: what was over by then goes, what was still under way (a request without its reply, an open
 * connection) stays. SQLite uses freed pages again, so the file does not grow; it does not shrink either.
 *
 * First of all the trace says where it begins from now on, in `meta.retained_from_us` and as a hole up to there: a reader never sees
 * facts missing without it. A recorder that is killed within a cut leaves some that are older than that, all of them true.
 *
 * No clock: `work` is told when it is enough, and goes on with the same cut the next time.
 */
import type Database from 'better-sqlite3';
import { beginning, type Dropping, dropOlder } from './drop-older.js';
import type { TraceWriter } from './writer.js';

/** What is to be kept. With both, what either would drop is dropped. */
export interface Retain {
  /** Bytes of the file in use, indexes and what waits to be indexed included. */
  readonly bytes?: number;
  /** Microseconds back from the last thing recorded. */
  readonly us?: number;
}

/** A cut begins when the file has so much of its size in use, and ends at the lower mark. */
const HIGH = 0.97;
const LOW = 0.88;
/** By time, so much more than asked for is kept before a cut. */
const SLACK = 0.05;
/** A flood that is not indexed yet counts as well; but so much of the size is left to what is. */
const LEFT_TO_INDEXED = 0.5;

interface Last {
  readonly operation: number | null;
  readonly key: number | null;
}

export class Retention {
  readonly #database: Database.Database;
  readonly #writer: TraceWriter;
  readonly #retain: Retain;
  readonly #transaction: (work: () => void) => void;
  readonly #beginning: Database.Statement<[], number>;
  readonly #spoolBytes: Database.Statement<[], number>;
  readonly #last: Database.Statement<[], Last>;
  /** How far operations and keys had come at the last cuts. */
  readonly #lasts: Last[] = [];
  #fromUs: number;
  #cut: Dropping | null = null;

  constructor(database: Database.Database, writer: TraceWriter, retain: Retain) {
    this.#database = database;
    this.#writer = writer;
    this.#retain = retain;
    const transaction = database.transaction((work: () => void) => work());
    this.#transaction = transaction.immediate;
    this.#beginning = database
      .prepare<[], number>("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'retained_from_us'")
      .pluck();
    this.#spoolBytes = database
      .prepare<[], number>('SELECT ifnull(sum(length(block)), 0) FROM spool')
      .pluck();
    this.#last = database.prepare<[], Last>(
      'SELECT (SELECT max(id) FROM operation) AS operation, (SELECT max(id) FROM key) AS key',
    );
    this.#fromUs = this.#beginning.get() ?? 0;
  }

  /** Drops what is due by now, until `enough` says so. False where nothing is left to drop. */
  work(watermarkUs: number, enough: () => boolean): boolean {
    if (this.#cut === null) {
      const toUs = Math.max(this.#byTime(watermarkUs), this.#bySize());
      if (toUs <= this.#fromUs) return false;
      this.#fromUs = toUs;
      const last = this.#last.get();
      if (last) this.#lasts.push(last);
      this.#cut = dropOlder(this.#database, this.#writer, toUs, (operation) => this.#keysBy(operation));
    }
    const cut = this.#cut;
    this.#transaction(() => {
      do {
        if (cut.next().done) this.#cut = null;
      } while (this.#cut !== null && !enough());
    });
    return true;
  }

  /** Keys are numbered in the order in which operations first touched them: the last that one before this can have been the first of. */
  #keysBy(operation: number): number {
    while ((this.#lasts[0]?.operation ?? operation) < operation) this.#lasts.shift();
    return this.#lasts[0]?.key ?? Number.MAX_SAFE_INTEGER;
  }

  /** Where the trace is to begin by its age; 0 where it may stay as it is. */
  #byTime(watermarkUs: number): number {
    const { us } = this.#retain;
    if (us === undefined) return 0;
    return watermarkUs - us > this.#fromUs + us * SLACK ? watermarkUs - us : 0;
  }

  /** The same by its size. */
  #bySize(): number {
    const { bytes } = this.#retain;
    if (bytes === undefined) return 0;
    const used = this.#bytesInUse();
    if (used <= bytes * HIGH) return 0;
    const indexed = used - (this.#spoolBytes.get() ?? 0);
    if (indexed <= bytes * LEFT_TO_INDEXED) return 0;
    return beginning(this.#database, this.#fromUs, Math.min(0.5, (used - bytes * LOW) / indexed));
  }

  #bytesInUse(): number {
    const pragma = (name: string): number => this.#database.pragma(name, { simple: true }) as number;
    return (pragma('page_count') - pragma('freelist_count')) * pragma('page_size');
  }
}
