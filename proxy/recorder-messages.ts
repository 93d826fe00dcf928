/**
 * What the forwarding thread and the recorder's worker say to each other. Blocks go over by transfer (no copy) and
 * come back the same way once they are stored, unless they are mapped.
 */
import type { Retain } from './trace/retention.js';

/** `workerData` of the recorder's worker. */
export interface WorkerStart {
  readonly path: string;
  readonly meta: Readonly<Record<string, string>>;
  readonly startedUnixUs: number;
  /** Bytes kept of each request and each reply. Undefined: the Conversation's default. */
  readonly keepBytes: number | undefined;
  /** Undefined: everything is kept. */
  readonly retain: Retain | undefined;
  readonly faults: WorkerFaults;
}

/** For tests and benchmarks: what a real disk and a real worker cannot be made to do on demand. */
export interface WorkerFaults {
  /** Bytes stored in a second at most: a disk slower than the traffic. `gaptrace proxy` has it as `--slow-disk`, which --help hides. */
  readonly storeBytesPerSecond?: number;
  /** Milliseconds to sleep before storing each batch: a disk that is too slow. */
  readonly storeDelayMs?: number;
  /** `PRAGMA max_page_count`: a disk that fills up. */
  readonly maxPages?: number;
  /** Throw, as a bug would, after this many blocks were stored. */
  readonly throwAfterBlocks?: number;
  /** Store, and never index: a backlog. */
  readonly neverIndex?: boolean;
}

export type ToWorker =
  | { readonly type: 'block'; readonly buffer: ArrayBuffer; readonly length: number }
  | { readonly type: 'close'; readonly atUs: number };

export type FromWorker =
  | { readonly type: 'ready' }
  /** So many blocks are in the file; here are the plain ones of them. */
  | { readonly type: 'stored'; readonly blocks: number; readonly buffers: readonly ArrayBuffer[] }
  | { readonly type: 'failed'; readonly code: `GAPTRACE_${string}`; readonly message: string }
  | {
      readonly type: 'closed';
      readonly operations: number;
      readonly holes: number;
      readonly bytesWithheld: number;
    };

/**
 * A block whose memory goes back to the system when it is collected: resizable, only because V8 maps these by itself, where malloc keeps
 * what it got. Filling one takes longer than a plain one, which cost a tenth of all requests/s where all were so.
 */
export function mappedBlock(bytes: number): ArrayBuffer {
  return new ArrayBuffer(bytes, { maxByteLength: bytes });
}

export function isMapped(block: ArrayBuffer): boolean {
  return block.resizable;
}
