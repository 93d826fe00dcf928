/**
 * A trace that is made at one go, from a file or from nothing, through the code that live traffic goes through: the tape's blocks, the
 * redactor, the indexer. It is written beside its place under another name and appears there when it is whole; until then, and after
 * an error, nothing is there.
 */
import { closeSync, existsSync, fsyncSync, linkSync, openSync, renameSync, rmSync } from 'node:fs';
import type Database from 'better-sqlite3';
import { BlockRedactor } from './block-redactor.js';
import { Indexer } from './indexer.js';
import { BlockWriter, HEAD_BYTES, type RecordType, readBlock } from './tape.js';
import { cannotStore } from './trace/cannot-store.js';
import { createTrace, traceExists } from './trace/create.js';
import { writeEnding } from './trace/ending.js';
import { Spool } from './trace/spool.js';
import { hasCode } from './trace/sqlite-errors.js';
import { TraceWriter } from './trace/writer.js';

/** Writes one record. The body may be reused after the call. */
export type WriteRecord = (
  type: RecordType,
  flags: number,
  connection: number,
  atUs: number,
  body: Uint8Array,
) => void;

export interface TraceCounts {
  readonly connections: number;
  readonly operations: number;
  readonly pushes: number;
  readonly holes: number;
}

/** What becomes of the blocks: `index` makes rows of them and ends the trace; `spool` leaves both to whoever opens it first, as a killed recorder does. */
export type Filing = 'index' | 'spool';

interface Open {
  readonly database: Database.Database;
  readonly writer: TraceWriter;
  readonly file: (block: Buffer) => void;
  readonly indexer: Indexer | null;
}

export class WholeTrace {
  readonly #path: string;
  readonly #temporary: string;
  readonly #redactor = new BlockRedactor();
  #block = new BlockWriter(Buffer.allocUnsafe(BLOCK_BYTES));
  #open: Open | null = null;

  /**
   * `doing`: a word for the name that it has meanwhile, such as `importing`.
   * @throws GaptraceError GAPTRACE_TRACE_EXISTS.
   */
  constructor(path: string, doing: string) {
    if (existsSync(path)) throw traceExists(path);
    this.#path = path;
    this.#temporary = `${path}.${doing}-${process.pid}`;
  }

  /** `maxPages`: for tests, so many pages of SQLite are all the room there is. @throws GaptraceError GAPTRACE_TRACE_CREATE. */
  create(
    startedUnixUs: number,
    meta: Readonly<Record<string, string>>,
    { filing = 'index', maxPages }: { readonly filing?: Filing; readonly maxPages?: number | undefined } = {},
  ): void {
    const database = createTrace(this.#temporary, { meta, startedUnixUs, writing: 'alone' });
    if (maxPages !== undefined) database.pragma(`max_page_count = ${maxPages}`);
    const writer = new TraceWriter(database);
    if (filing === 'spool') {
      const spool = new Spool(database);
      this.#open = { database, writer, indexer: null, file: (block) => spool.store([block]) };
      return;
    }
    database.exec('BEGIN');
    const indexer = new Indexer(writer);
    const file = (block: Buffer): void => {
      for (const record of readBlock(block)) indexer.record(record);
      indexer.save(); // which lets go of the block: its memory is used again
    };
    this.#open = { database, writer, indexer, file };
  }

  /** @throws GaptraceError GAPTRACE_DISK_FULL, GAPTRACE_TRACE_WRITE. */
  readonly write: WriteRecord = (type, flags, connection, atUs, body) => {
    let at = 0;
    do {
      if (this.#block.length > 0 && !this.#block.fits(Math.min(body.length - at, SMALLEST_PART)))
        this.#fileBlock();
      const room = BLOCK_BYTES - this.#block.length - HEAD_BYTES;
      const part = at === 0 && body.length <= room ? body : body.subarray(at, at + room);
      this.#block.write(type, flags, connection, atUs, part);
      at += part.length;
    } while (at < body.length);
  };

  /** All is written: the rest of the tape, and the end marker where it is indexed. Spooled, it counts nothing. Throws as `write` does. */
  finish(atUs: number): TraceCounts {
    this.#fileBlock();
    const held = this.#redactor.finish(atUs);
    if (held !== null) this.#file(held);
    return this.#storing(({ database, writer, indexer }) => {
      if (indexer === null) {
        // As a recorder leaves it: to be completed at the speed of a trace that is written.
        database.pragma('locking_mode = NORMAL');
        database.pragma('journal_mode = WAL');
      } else {
        database.exec('COMMIT');
        writeEnding(database, writer, indexer, 'clean', atUs);
      }
      const count = (table: string): number =>
        database.prepare(`SELECT count(*) FROM ${table}`).pluck().get() as number;
      return {
        connections: count('connection'),
        operations: count('operation'),
        pushes: count('push'),
        holes: count('hole'),
      };
    });
  }

  /** Gives the whole trace its name; never takes the place of a file that appeared meanwhile. @throws GaptraceError GAPTRACE_TRACE_EXISTS. */
  putInPlace(): void {
    const temporary = this.#temporary;
    this.#close();
    const descriptor = openSync(temporary, 'r');
    fsyncSync(descriptor);
    closeSync(descriptor);
    try {
      linkSync(temporary, this.#path);
    } catch (error) {
      if (hasCode(error, 'EEXIST') || existsSync(this.#path)) throw traceExists(this.#path);
      renameSync(temporary, this.#path); // a file system without hard links
    }
  }

  /** To be called at the end, however it ends: nothing is left but what was put in place. */
  discard(): void {
    this.#close();
    for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(this.#temporary + suffix, { force: true });
  }

  #close(): void {
    this.#open?.database.close();
    this.#open = null;
  }

  #fileBlock(): void {
    this.#file(this.#redactor.redact(this.#block.buffer.subarray(0, this.#block.length)));
    this.#block = new BlockWriter(this.#block.buffer);
  }

  #file(block: Buffer): void {
    this.#storing(({ file }) => file(block));
  }

  #storing<T>(work: (open: Open) => T): T {
    if (this.#open === null) throw new Error('the trace is not created yet');
    try {
      return work(this.#open);
    } catch (error) {
      throw cannotStore(error, this.#path) ?? error;
    }
  }
}

const BLOCK_BYTES = 256 * 1024;
const SMALLEST_PART = 1024;
