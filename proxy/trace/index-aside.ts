/**
 * Indexing a long tape that is over, by two threads (docs/decisions/0019-indexing-by-two-threads.md): the other makes rows of the stored blocks, and
 * takes what was committed from the WAL into the file; this one writes the rows meanwhile, and waits for them as it waits for the disk. At each
 * commit the trace says where indexing stands, as ever: whoever comes next goes on from the file alone.
 */
import type Database from 'better-sqlite3';
import { OtherThread, type Speaking } from './other-thread.js';
import { type Begun, type Parcel, ParcelReader } from './parcel.js';
import type { Spool, Stored } from './spool.js';
import type { TraceWriter } from './writer.js';

/** `workerData` of the other thread. */
export interface AsideStart extends Speaking {
  readonly path: string;
  readonly begun: Begun;
  readonly keepBytes: number | undefined;
}

export type ToAside =
  /** `saves`: its rows are the last before a commit. */
  | { readonly type: 'block'; readonly block: Uint8Array; readonly saves: boolean }
  | { readonly type: 'committed' }
  | { readonly type: 'end' };

export type FromAside =
  | { readonly type: 'ready' }
  /** Of one block after the other. */
  | { readonly type: 'rows'; readonly parcel: Parcel }
  | { readonly type: 'failed'; readonly error: unknown }
  /** It has let go of the trace. */
  | { readonly type: 'ended' };

/** Blocks on their way, so that neither thread waits for the other. */
const BLOCKS_AHEAD = 64;
/** Rows of so many blocks are committed together. */
const SLICE_BLOCKS = 100;
/** After so many commits the WAL is begun anew, which takes that all of it is in the file as the next transaction begins. */
const COMMITS_A_WAL = 4;
/** A thread needs a tenth of a second to start, and as long for a hundred blocks. */
const STARTED_WITHIN_MS = 10_000;
const SILENCE_MS = 60_000;

/** False where a second thread is not to be had: then nothing has happened. */
export function indexAside(
  database: Database.Database,
  spool: Spool,
  writer: TraceWriter,
  keepBytes: number | undefined,
): boolean {
  const aside = new Aside(database, spool, writer, keepBytes);
  try {
    if (!aside.ready()) return false;
    // The other thread does it, and finds a WAL that this one begins anew each time.
    const checkpoint = database.pragma('wal_autocheckpoint', { simple: true }) as number;
    database.pragma('wal_autocheckpoint = 0');
    const slice = database.transaction(() => aside.slice());
    while (slice.immediate()) aside.committed();
    database.pragma(`wal_autocheckpoint = ${checkpoint}`);
    aside.end();
    return true;
  } finally {
    aside.close();
  }
}

class Aside {
  readonly #other: OtherThread<ToAside, FromAside>;
  readonly #database: Database.Database;
  #commits = 0;
  readonly #spool: Spool;
  readonly #writer: TraceWriter;
  readonly #reader: ParcelReader;
  /** The next to be sent. */
  #next: Stored | undefined;
  #sent = 0;
  readonly #underWay: { readonly id: number; readonly saves: boolean }[] = [];

  constructor(database: Database.Database, spool: Spool, writer: TraceWriter, keepBytes: number | undefined) {
    this.#database = database;
    this.#spool = spool;
    this.#writer = writer;
    this.#reader = new ParcelReader(writer);
    this.#next = spool.after(0);
    const connections = database.prepare('SELECT id FROM connection').pluck().all() as number[];
    const begun = { states: writer.states(), lastPush: writer.lastPush(), connections };
    const start: Omit<AsideStart, keyof Speaking> = { path: database.name, begun, keepBytes };
    this.#other = new OtherThread('trace/index-aside-worker', start);
  }

  ready(): boolean {
    return this.#other.hear(STARTED_WITHIN_MS)?.type === 'ready';
  }

  /** The rows of some blocks, to be committed. False: they were the last. */
  slice(): boolean {
    for (;;) {
      this.#send();
      const sent = this.#underWay.shift();
      if (sent === undefined) return false;
      this.#reader.unpack(this.#expect('rows').parcel);
      this.#spool.delete(sent.id);
      if (!sent.saves) continue;
      this.#writer.flush();
      return true;
    }
  }

  committed(): void {
    this.#commits += 1;
    if (this.#commits % COMMITS_A_WAL === 0) this.#database.pragma('wal_checkpoint(FULL)');
    else this.#other.tell({ type: 'committed' });
  }

  /** Waits until the other thread has let go of the trace. */
  end(): void {
    this.#other.tell({ type: 'end' });
    this.#expect('ended');
  }

  close(): void {
    this.#other.close();
  }

  #send(): void {
    while (this.#next !== undefined && this.#underWay.length < BLOCKS_AHEAD) {
      const { id, block } = this.#next;
      this.#next = this.#spool.after(id);
      this.#sent += 1;
      const saves = this.#next === undefined || this.#sent % SLICE_BLOCKS === 0;
      this.#other.tell({ type: 'block', block, saves }, [block.buffer as ArrayBuffer]);
      this.#underWay.push({ id, saves });
    }
  }

  #expect<Type extends FromAside['type']>(type: Type): FromAside & { readonly type: Type } {
    const received = this.#other.hear(SILENCE_MS);
    if (received?.type === 'failed') throw received.error;
    if (received?.type !== type)
      throw new Error(`the other thread says ${received?.type ?? 'nothing'}, not ${type}`);
    return received as FromAside & { readonly type: Type };
  }
}
