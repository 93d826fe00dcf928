/**
 * The recorder, as the forwarding thread sees it. Each call copies a chunk behind a 24-byte head into the current
 * block (tape.ts) and returns; nothing is parsed and nothing is waited for here. A block goes to the worker
 * (recorder-worker.ts) when it is full or 50 ms after its first record, and comes back empty once it is stored.
 *
 * Three promises:
 * - Forwarding never waits. When the worker falls behind by more than the memory limit, bytes are dropped; unless the user would
 *   rather have traffic paused (backpressure.ts).
 * - What is dropped adds up. Each connection's dropped bytes are counted by direction, and a `dropped` record takes
 *   their place on the tape: before anything else of that connection, and as soon as there is room.
 * - Openings, closes and notes are never dropped: they are small and have a reserve of their own. A worker so stuck that
 *   even the reserve fills is a failed recorder, as is one that died or whose disk is full: traffic goes on, the
 *   recorder only counts, and the trace has no end marker.
 */
import { performance } from 'node:perf_hooks';
import type { Worker } from 'node:worker_threads';
import { type GaptraceError, messageOf } from '../terminal/errors.js';
import { Backpressure, type Pauses, type Traffic } from './backpressure.js';
import {
  type FromWorker,
  mappedBlock,
  type ToWorker,
  type WorkerFaults,
  type WorkerStart,
} from './recorder-messages.js';
import { recordingFailed, startWorker, workerDied } from './recorder-thread.js';
import {
  BlockWriter,
  type ClosedBody,
  type DroppedBody,
  FLAG_FLUSHED,
  HEAD_BYTES,
  type Note,
  type OpenedBody,
  RecordType,
} from './tape.js';
import type { Retain } from './trace/retention.js';

export interface RecorderOptions {
  /** The trace to create. It must not exist. */
  readonly path: string;
  /** Goes into the table `meta` as it is. No secrets. */
  readonly meta: Readonly<Record<string, string>>;
  /** Wall clock of time 0, microseconds since 1970. Default: now. */
  readonly startedUnixUs?: number;
  /** Bytes kept of each request and each reply. */
  readonly keepBytes?: number;
  /** Bytes handed over and not yet stored, beyond which bytes are dropped. Default 64 MiB. */
  readonly memoryLimitBytes?: number;
  /** Size of a block. Default 256 KiB. */
  readonly blockBytes?: number;
  /** When that memory is used up: drop bytes (the default), or pause the traffic given to `control`. */
  readonly onOverload?: 'drop' | 'pause';
  /** How long traffic may be paused with nothing stored before the recorder counts as stuck. Default 10 s. */
  readonly patienceMs?: number;
  /** What of the past is kept. Default: everything. */
  readonly retain?: Retain | undefined;
  /** For tests and benchmarks. */
  readonly faults?: WorkerFaults;
}

export interface RecordingSummary {
  /** Requests in the trace. 0 where the recording failed: nobody counted. */
  readonly operations: number;
  /** Bytes that passed and are not in the trace: dropped, withheld, or after a failure. */
  readonly bytesNotRecorded: number;
  readonly holes: number;
  readonly pauses: Pauses;
  /** Is everything stored and indexed, with an end marker? */
  readonly completed: boolean;
}

const BLOCK_BYTES = 256 * 1024;
const MEMORY_LIMIT_BYTES = 64 * 1024 * 1024;
/** How long a record may wait in a block that does not fill up. */
const BLOCK_AGE_MS = 50;
/** Blocks with the worker at which it counts as behind: from then on only full blocks go over, so that memory holds traffic. */
const BEHIND_BLOCKS = 4;
/** Blocks beyond the memory limit that only openings, closes and notes may use. */
const RESERVE_BLOCKS = 16;
/** How often an idle recorder says that it is still there: it bounds the hole that a killed one leaves. */
const HEARTBEAT_MS = 1000;
/** A recorder that stores nothing for so long while traffic waits for it is stuck. */
const PATIENCE_MS = 10_000;
/** Blocks that are filled again and again. What a flood needs beyond them is mapped. */
const PLAIN_BLOCKS = 16;
/** A chunk is not split to fill less room than this at the end of a block. */
const SMALLEST_PART = 1024;

/** Bytes of one connection that are not on the tape yet to be said so. */
interface Owed {
  fromClient: number;
  fromRedis: number;
  fromUs: number;
  toUs: number;
  /** The last `flushed` that did not fit, or null. */
  flushed: { readonly atUs: number; readonly total: number } | null;
}

export class Recorder {
  readonly #worker: Worker;
  readonly #blockBytes: number;
  readonly #maxBlocks: number;
  readonly #startedMs: number;
  /** Empty plain blocks. */
  readonly #pool: ArrayBuffer[] = [];
  #plainBlocks = 0;
  readonly #owed = new Map<number, Owed>();
  readonly #failureCallbacks: ((error: GaptraceError) => void)[] = [];
  readonly #flushedBody = Buffer.alloc(8);
  readonly #heartbeat: NodeJS.Timeout;
  readonly #backpressure: Backpressure | null;

  #state: 'recording' | 'failed' = 'recording';
  #failure: GaptraceError | null = null;
  #block: BlockWriter | null = null;
  /** Is the current block one of the reserve, closed to bytes? */
  #reserve = false;
  #due = false;
  #timer: NodeJS.Timeout | null = null;
  #withWorker = 0;
  /** It has said its last word: when it ends now, that is not a death. */
  #workerIsDone = false;
  #bytesDropped = 0;
  #roomWaiters: (() => void)[] = [];
  #closing: Promise<RecordingSummary> | null = null;
  #settleClose: ((summary: RecordingSummary) => void) | null = null;

  /**
   * Creates the trace and starts the worker.
   * @throws GaptraceError GAPTRACE_TRACE_EXISTS, GAPTRACE_TRACE_CREATE (folder missing, no permission, disk full),
   *   GAPTRACE_TRACE_IN_USE.
   */
  static async create(options: RecorderOptions): Promise<Recorder> {
    const startedMs = performance.now();
    const start: WorkerStart = {
      path: options.path,
      meta: options.meta,
      startedUnixUs: options.startedUnixUs ?? Math.round((performance.timeOrigin + startedMs) * 1000),
      keepBytes: options.keepBytes,
      retain: options.retain,
      faults: options.faults ?? {},
    };
    return new Recorder(await startWorker(start), options, startedMs);
  }

  private constructor(worker: Worker, options: RecorderOptions, startedMs: number) {
    this.#worker = worker;
    this.#blockBytes = options.blockBytes ?? BLOCK_BYTES;
    this.#maxBlocks = Math.max(
      1,
      Math.floor((options.memoryLimitBytes ?? MEMORY_LIMIT_BYTES) / this.#blockBytes),
    );
    this.#startedMs = startedMs;
    this.#backpressure = options.onOverload === 'pause' ? this.#pauseTraffic(options) : null;
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS);
    this.#heartbeat.unref();
    worker.on('message', (message: FromWorker) => this.#heard(message));
    worker.on('error', (error) => this.#fail(workerDied(messageOf(error))));
    worker.on('exit', (status) => this.#fail(workerDied(`exit status ${status}`)));
  }

  /** Whole microseconds since the trace's start, monotonic. */
  nowUs(): number {
    return Math.floor((performance.now() - this.#startedMs) * 1000);
  }

  get state(): 'recording' | 'failed' {
    return this.#state;
  }

  /** Bytes that passed and will not be in the trace, so far. */
  get bytesNotRecorded(): number {
    return this.#bytesDropped;
  }

  /** Calls back once, when recording has failed: soon, if it has already. Traffic must go on. */
  onFailure(callback: (error: GaptraceError) => void): void {
    const failure = this.#failure;
    if (failure === null) this.#failureCallbacks.push(callback);
    else queueMicrotask(() => callback(failure));
  }

  /** With `onOverload: 'pause'`: what to pause when memory is nearly used up. Resumed for good where recording fails. */
  control(traffic: Traffic): void {
    this.#backpressure?.control(traffic);
  }

  /** A client's connection was accepted. Connections are numbered from 1, in order, by the caller. */
  opened(connection: number, atUs: number, body: OpenedBody): void {
    this.#small(RecordType.opened, connection, atUs, Buffer.from(JSON.stringify(body)));
  }

  /** Bytes as read from the client. They are copied: the caller keeps the chunk. */
  clientBytes(connection: number, atUs: number, chunk: Uint8Array): void {
    this.#bytes(RecordType.clientBytes, 0, connection, atUs, chunk);
  }

  /** Bytes as read from Redis. `flushed`: the client's kernel has taken all of them, and all before, in this turn. */
  redisBytes(connection: number, atUs: number, chunk: Uint8Array, flushed: boolean): void {
    this.#bytes(RecordType.redisBytes, flushed ? FLAG_FLUSHED : 0, connection, atUs, chunk);
  }

  /** The client's kernel has by now taken `totalBytes` of all that was read from Redis on this connection. */
  flushed(connection: number, atUs: number, totalBytes: number): void {
    if (this.#state === 'failed') return;
    if (this.#owed.size > 0) {
      const owed = this.#owed.get(connection);
      if (owed !== undefined) {
        owed.flushed = { atUs, total: totalBytes };
        return;
      }
    }
    this.#flushedBody.writeDoubleLE(totalBytes, 0);
    if (this.#open(8)) this.#put(RecordType.flushed, 0, connection, atUs, this.#flushedBody);
    else this.#owe(connection, atUs).flushed = { atUs, total: totalBytes };
  }

  /** The first of the two sides closed. */
  closed(connection: number, atUs: number, body: ClosedBody): void {
    this.#small(RecordType.closed, connection, atUs, Buffer.from(JSON.stringify(body)));
  }

  /** Both sides are closed: nothing more comes of this connection. */
  ended(connection: number, atUs: number): void {
    this.#small(RecordType.ended, connection, atUs, NO_BYTES);
  }

  /** A fact that is not about one connection. */
  note(atUs: number, note: Note): void {
    this.#small(RecordType.note, 0, atUs, Buffer.from(JSON.stringify(note)));
  }

  /** Stores and indexes all there is, and writes the end marker. Never rejects; call it when traffic has ended. */
  close(): Promise<RecordingSummary> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<RecordingSummary> {
    clearInterval(this.#heartbeat);
    while (this.#state === 'recording' && this.#owed.size > 0) {
      this.#settleOwed();
      if (this.#owed.size > 0) await new Promise<void>((resolve) => this.#roomWaiters.push(resolve));
    }
    if (this.#state === 'failed') return this.#failedSummary();
    this.#handOver();
    const summary = new Promise<RecordingSummary>((resolve) => {
      this.#settleClose = resolve;
    });
    this.#post({ type: 'close', atUs: this.nowUs() });
    const done = await summary;
    await this.#worker.terminate();
    return done;
  }

  #failedSummary(): RecordingSummary {
    return {
      operations: 0,
      bytesNotRecorded: this.#bytesDropped,
      holes: 0,
      pauses: this.#pauses(),
      completed: false,
    };
  }

  // --- overload ------------------------------------------------------------------------------------------------

  #pauseTraffic({ patienceMs }: RecorderOptions): Backpressure {
    return new Backpressure({
      blockBytes: this.#blockBytes,
      maxBlocks: this.#maxBlocks,
      patienceMs: patienceMs ?? PATIENCE_MS,
      stuck: () => this.#stuck(),
    });
  }

  #pauses(): Pauses {
    return this.#backpressure?.pauses ?? { count: 0, totalUs: 0 };
  }

  /** Traffic goes on. The trace says how long it had to wait: clients may have lost patience. */
  #notePauses(): void {
    const { count, totalUs } = this.#pauses();
    const values = { overload_pauses: String(count), overload_paused_us: String(totalUs) };
    this.note(this.nowUs(), { note: 'meta', values });
  }

  #stuck(): void {
    const waiting = Math.round((this.#withWorker * this.#blockBytes) / 1024 / 1024);
    this.#fail(
      recordingFailed(
        'GAPTRACE_RECORDER_STUCK',
        `the recorder is stuck: ${waiting} MiB wait to be stored. Is the disk of the trace hanging?`,
      ),
    );
  }

  // --- writing on the tape -------------------------------------------------------------------------------------

  #bytes(type: RecordType, flags: number, connection: number, atUs: number, chunk: Uint8Array): void {
    if (this.#state === 'failed') {
      this.#bytesDropped += chunk.length;
      return;
    }
    const block = this.#block;
    if (
      block !== null &&
      this.#owed.size === 0 &&
      !this.#reserve &&
      block.length > 0 &&
      block.write(type, flags, connection, atUs, chunk)
    )
      return;
    this.#bytesInParts(type, flags, connection, atUs, chunk);
  }

  /** The way of a chunk that does not simply fit: a first record, a full block, a split chunk, a drop. */
  #bytesInParts(type: RecordType, flags: number, connection: number, atUs: number, chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      const left = chunk.length - at;
      if (this.#owed.has(connection) || !this.#open(Math.min(left, SMALLEST_PART))) {
        const owed = this.#owe(connection, atUs);
        if (type === RecordType.clientBytes) owed.fromClient += left;
        else owed.fromRedis += left;
        this.#bytesDropped += left;
        return;
      }
      const block = this.#block as BlockWriter;
      const part = Math.min(left, block.buffer.length - block.length - HEAD_BYTES);
      this.#put(type, flags, connection, atUs, chunk.subarray(at, at + part));
      at += part;
    }
  }

  /** Writes a record that must not be lost, with what is owed of its connection before it. */
  #small(type: RecordType, connection: number, atUs: number, body: Buffer): void {
    if (this.#state === 'failed') return;
    const owed = this.#owed.get(connection);
    if (owed !== undefined) {
      this.#owed.delete(connection);
      this.#writeOwed(connection, owed);
    }
    this.#reserved(type, connection, atUs, body);
  }

  #writeOwed(connection: number, owed: Owed): void {
    const { fromClient, fromRedis, fromUs, toUs, flushed } = owed;
    if (fromClient + fromRedis > 0) {
      const body: DroppedBody = { fromClient, fromRedis, fromUs, toUs, reason: 'dropped' };
      this.#reserved(RecordType.dropped, connection, toUs, Buffer.from(JSON.stringify(body)));
    }
    if (flushed !== null) {
      const total = Buffer.alloc(8);
      total.writeDoubleLE(flushed.total, 0);
      this.#reserved(RecordType.flushed, connection, flushed.atUs, total);
    }
  }

  /** Writes a small record, into the reserve where there is no other room. */
  #reserved(type: RecordType, connection: number, atUs: number, body: Buffer): void {
    if (this.#state === 'failed') return;
    if (this.#block === null || !this.#block.fits(body.length)) {
      this.#handOver();
      this.#reserve = this.#withWorker >= this.#maxBlocks;
      if (this.#withWorker >= this.#maxBlocks + RESERVE_BLOCKS) {
        this.#stuck();
        return;
      }
      this.#block = this.#emptyBlock();
    }
    this.#put(type, 0, connection, atUs, body);
  }

  /** Makes sure that the current block has room for a body of `length` bytes; false where memory is used up. */
  #open(length: number): boolean {
    if (this.#block !== null && !this.#reserve && this.#block.fits(length)) return true;
    if (this.#withWorker + (this.#block !== null ? 1 : 0) >= this.#maxBlocks) return false;
    this.#handOver();
    this.#block = this.#emptyBlock();
    this.#reserve = false;
    this.#backpressure?.filled(this.#withWorker, this.nowUs());
    return true;
  }

  #put(type: RecordType, flags: number, connection: number, atUs: number, body: Uint8Array): void {
    const block = this.#block as BlockWriter;
    if (block.length === 0) this.#startTimer();
    if (!block.write(type, flags, connection, atUs, body))
      throw new RangeError(`a record of ${body.length} bytes does not fit into a block`);
  }

  #owe(connection: number, atUs: number): Owed {
    let owed = this.#owed.get(connection);
    if (owed === undefined) {
      owed = { fromClient: 0, fromRedis: 0, fromUs: atUs, toUs: atUs, flushed: null };
      this.#owed.set(connection, owed);
    }
    owed.toUs = atUs;
    return owed;
  }

  /** Writes the `dropped` records that are due, as far as there is room. */
  #settleOwed(): void {
    for (const [connection, owed] of this.#owed) {
      if (!this.#open(256)) return;
      this.#owed.delete(connection);
      this.#writeOwed(connection, owed);
    }
  }

  // --- blocks --------------------------------------------------------------------------------------------------

  #emptyBlock(): BlockWriter {
    return new BlockWriter(Buffer.from(this.#pool.pop() ?? this.#newBlock()));
  }

  #newBlock(): ArrayBuffer {
    if (this.#plainBlocks >= PLAIN_BLOCKS) return mappedBlock(this.#blockBytes);
    this.#plainBlocks += 1;
    return new ArrayBuffer(this.#blockBytes);
  }

  /** Gives the current block to the worker, if there is anything in it. */
  #handOver(): void {
    const block = this.#block;
    this.#due = false;
    if (block === null) return;
    this.#block = null;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#withWorker += 1;
    this.#post({ type: 'block', buffer: block.buffer.buffer as ArrayBuffer, length: block.length });
  }

  #startTimer(): void {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#due = true;
      this.#handOverIfDue();
    }, BLOCK_AGE_MS);
  }

  #handOverIfDue(): void {
    if (this.#due && this.#withWorker < BEHIND_BLOCKS) this.#handOver();
  }

  #beat(): void {
    if (this.#block === null && this.#withWorker < BEHIND_BLOCKS)
      this.note(this.nowUs(), { note: 'meta', values: {} });
  }

  #post(message: ToWorker): void {
    this.#worker.postMessage(message, message.type === 'block' ? [message.buffer] : []);
  }

  // --- the worker's news ---------------------------------------------------------------------------------------

  #heard(message: FromWorker): void {
    if (message.type === 'stored') this.#stored(message.blocks, message.buffers);
    else if (message.type === 'failed') this.#fail(recordingFailed(message.code, message.message));
    else if (message.type === 'closed') {
      this.#workerIsDone = true;
      this.#settleClose?.({
        operations: message.operations,
        bytesNotRecorded: this.#bytesDropped + message.bytesWithheld,
        holes: message.holes,
        pauses: this.#pauses(),
        completed: true,
      });
    }
  }

  #stored(blocks: number, buffers: readonly ArrayBuffer[]): void {
    this.#withWorker -= blocks;
    this.#pool.push(...buffers);
    if (this.#owed.size > 0) this.#settleOwed();
    if (this.#backpressure?.stored(this.#withWorker, this.nowUs())) this.#notePauses();
    this.#handOverIfDue();
    for (const waiter of this.#roomWaiters.splice(0)) waiter();
  }

  /** Recording is over: count and drop from here on. Said once. */
  #fail(error: GaptraceError): void {
    if (this.#state === 'failed' || this.#workerIsDone) return;
    this.#state = 'failed';
    clearInterval(this.#heartbeat);
    this.#failure = error;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#block = null;
    this.#pool.length = 0;
    this.#owed.clear();
    void this.#worker.terminate();
    this.#backpressure?.end(this.nowUs());
    for (const callback of this.#failureCallbacks.splice(0)) callback(error);
    for (const waiter of this.#roomWaiters.splice(0)) waiter();
    this.#settleClose?.(this.#failedSummary());
  }
}

const NO_BYTES = Buffer.alloc(0);
