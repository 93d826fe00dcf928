/**
 * Operations of a trace that is over, read from the file by a second thread while this one works on those before: what SQLite takes for a row is a fifth
 * of what an audit takes (docs/decisions/0018-rows-by-the-batch.md). Of a trace that is being written each thread might see another state.
 */
import type { BatchRow } from './batch-sql.js';
import { OtherThread, type Speaking } from './other-thread.js';

/** `workerData` of the other thread. */
export interface ReadAheadStart extends Speaking {
  readonly path: string;
  readonly afterId: number;
  readonly untilId: number;
}

/** It may read so many parcels more. */
export type ToReader = number;

export type FromReader =
  /** Batches of operations; each batch is of BATCH ids, a parcel of PARCEL batches, but for the last ones. */
  { readonly type: 'parcel'; readonly batches: readonly BatchRow[] } | { readonly type: 'failed' };

/** Batches of one message: a message costs as much as reading ten rows. */
export const PARCEL = 4;
/** Parcels that lie ready at most. */
const AHEAD = 8;
/** A thread that says nothing for so long has died. */
const SILENCE_MS = 10_000;

export class ReadAhead {
  readonly #other: OtherThread<ToReader, FromReader>;
  #batches: readonly BatchRow[] = [];
  #next = 0;
  #failed = false;

  /** Of all operations after one id and up to another. */
  constructor(path: string, afterId: number, untilId: number) {
    const start: Omit<ReadAheadStart, keyof Speaking> = { path, afterId, untilId };
    this.#other = new OtherThread('trace/read-ahead-worker', start);
    this.#other.tell(AHEAD);
  }

  /** The next batch, where there is one; undefined: it is not to be had from this thread, nor is any after it. */
  next(): BatchRow | undefined {
    if (this.#next === this.#batches.length) this.#hear();
    return this.#failed ? undefined : this.#batches[this.#next++];
  }

  #hear(): void {
    if (this.#failed) return;
    const heard = this.#other.hear(SILENCE_MS);
    this.#failed = heard?.type !== 'parcel';
    this.#batches = heard?.type === 'parcel' ? heard.batches : [];
    this.#next = 0;
    this.#other.tell(1);
  }

  close(): void {
    this.#other.close();
  }
}
