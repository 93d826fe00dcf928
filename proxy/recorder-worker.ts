/**
 * The recorder's other half, in a thread of its own: blocks -> file -> rows. It stores before it indexes. All blocks that wait
 * are made safe and stored in one transaction, and their memory goes back; only while none waits are stored blocks indexed,
 * 50 ms at a time, and what is not to be kept is dropped. Under a flood the index lags, not the spool, and a kill at any moment
 * leaves a file that can be completed.
 *
 * Indexing a little at a time costs far more than much at once (each commit writes what is under way on each connection), and it
 * takes its time from the forwarding where cores are few. So it begins five times a second at most, the thread stands back in the
 * kernel's queue, and while the forwarding thread has to wait for a core, it rests most of the time (docs/decisions/0012).
 *
 * Whatever it throws ends the recording, not the traffic: it is reported once, and no end marker is written.
 */

import { existsSync, readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { performance } from 'node:perf_hooks';
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type Database from 'better-sqlite3';
import { GaptraceError, messageOf } from '../terminal/errors.js';
import { BlockRedactor } from './block-redactor.js';
import { Crowding } from './crowding.js';
import { Indexer } from './indexer.js';
import { type FromWorker, isMapped, type ToWorker, type WorkerStart } from './recorder-messages.js';
import { cannotStore } from './trace/cannot-store.js';
import { cannotCreate, createTrace, traceExists } from './trace/create.js';
import { foldInto, writeEnding } from './trace/ending.js';
import { Garbage } from './trace/garbage.js';
import { TraceLock } from './trace/lock.js';
import { Retention } from './trace/retention.js';
import { Spool } from './trace/spool.js';
import { TraceWriter } from './trace/writer.js';

const SLICE_MS = 50;
/** With nothing left to store: a commit writes each page once that it changed, and most keys' pages change in every slice. */
const CLOSING_SLICE_MS = 1000;
/** From the end of one run of indexing to the beginning of the next, at least. */
const INDEX_EVERY_MS = 200;
/** How far the thread stands back in the kernel's queue: it gets a third of what the forwarding thread gets, and all that nobody else wants. */
const NICENESS = 5;
/** Of its time the forwarding thread waits for a core: from there on indexing takes a twentieth of the time only, until that is over. */
const CROWDED = 0.05;
const CROWDED_REST = 19;
/** Blocks stored in one transaction at most: the sooner their memory is back, the shorter paused traffic waits. */
const STORE_BLOCKS = 8;
/** Mapped blocks that lie about as garbage at most. */
const MAPPED_BLOCKS = 32;

interface Block {
  readonly buffer: ArrayBuffer;
  readonly length: number;
}

class RecorderWorker {
  readonly #port: MessagePort;
  readonly #start: WorkerStart;
  readonly #guarded: (work: () => void) => void;
  readonly #lock: TraceLock;
  readonly #database: Database.Database;
  readonly #redactor = new BlockRedactor();
  readonly #spool: Spool;
  readonly #writer: TraceWriter;
  readonly #indexer: Indexer;
  readonly #retention: Retention | null;
  readonly #waiting: Block[] = [];
  #copy = Buffer.alloc(0);
  readonly #crowding = new Crowding();
  /** Collects mapped blocks: a flood leaves as many as there may be. */
  readonly #garbage = new Garbage(MAPPED_BLOCKS);
  #blocksStored = 0;
  /** Not to be indexed before. */
  #indexAtMs = 0;
  #indexTimer: NodeJS.Timeout | null = null;
  #closeAtUs: number | null = null;

  /** `guarded` runs what may fail, and ends the recording where it does. */
  constructor(port: MessagePort, start: WorkerStart, guarded: (work: () => void) => void) {
    this.#port = port;
    this.#guarded = guarded;
    this.#start = start;
    this.#lock = lockNewTrace(start.path);
    try {
      this.#database = createTrace(start.path, { ...start, writing: 'shared' });
    } catch (error) {
      this.#lock.release();
      throw error;
    }
    const { maxPages } = start.faults;
    if (maxPages !== undefined) this.#database.pragma(`max_page_count = ${maxPages}`);
    this.#spool = new Spool(this.#database);
    this.#writer = new TraceWriter(this.#database);
    this.#indexer = new Indexer(this.#writer, { keepBytes: start.keepBytes });
    this.#retention =
      start.retain === undefined ? null : new Retention(this.#database, this.#writer, start.retain);
  }

  /** A message has come: works until nothing is left to do, or to do now. */
  work(message: ToWorker): void {
    this.#take(message);
    this.#workOn();
  }

  #workOn(): void {
    for (;;) {
      this.#takeAll();
      if (this.#waiting.length > 0) {
        this.#store();
        continue;
      }
      // In turn: where there is no end of indexing, there must be none of dropping.
      const indexed = this.#indexSlice();
      const dropped = this.#dropSlice();
      if (!indexed && !dropped) break;
    }
    // The order to close may have come just now, whoever called.
    if (this.#closeAtUs !== null) this.#finish(this.#closeAtUs);
    else if (this.#hasBacklog) this.#indexLater();
  }

  get #hasBacklog(): boolean {
    return !this.#spool.empty && !this.#start.faults.neverIndex;
  }

  #indexLater(): void {
    this.#indexTimer ??= setTimeout(() => {
      this.#indexTimer = null;
      this.#guarded(() => this.#workOn());
    }, this.#indexAtMs - performance.now());
  }

  /** After a failure: nothing is written any more, and the lock is given back. */
  abandon(): void {
    if (this.#indexTimer !== null) clearTimeout(this.#indexTimer);
    try {
      this.#database.close();
    } catch {
      // What made the recording fail is reported already; it may well stop a close too.
    }
    this.#lock.release();
  }

  #take(message: ToWorker): void {
    if (message.type === 'block') this.#waiting.push(message);
    else this.#closeAtUs = message.atUs;
  }

  #takeAll(): void {
    for (;;) {
      const received = receiveMessageOnPort(this.#port);
      if (received === undefined) return;
      this.#take(received.message as ToWorker);
    }
  }

  #store(): void {
    const blocks = this.#waiting.splice(0, STORE_BLOCKS);
    this.#sufferFaults(blocks.reduce((bytes, { length }) => bytes + length, 0));
    this.#spool.store(this.#safe(blocks));
    this.#blocksStored += blocks.length;
    const buffers = blocks.map(({ buffer }) => buffer).filter((buffer) => !isMapped(buffer));
    this.#garbage.left(blocks.length - buffers.length);
    this.#say({ type: 'stored', blocks: blocks.length, buffers }, buffers);
  }

  /** What may be stored of each block. It is read in a copy: in mapped memory V8 takes several times as long for a number. */
  *#safe(blocks: readonly Block[]): Generator<Buffer> {
    for (const { buffer, length } of blocks) {
      if (this.#copy.length < length) this.#copy = Buffer.alloc(length);
      this.#copy.set(new Uint8Array(buffer, 0, length));
      yield this.#redactor.redact(this.#copy.subarray(0, length));
    }
  }

  /** False where nothing is to be indexed now. */
  #indexSlice(): boolean {
    if (!this.#hasBacklog || (this.#closeAtUs === null && performance.now() < this.#indexAtMs)) return false;
    const beganMs = performance.now();
    const sliceMs = this.#closeAtUs === null ? SLICE_MS : CLOSING_SLICE_MS;
    this.#spool.index(this.#indexer, () => performance.now() >= beganMs + sliceMs);
    const endedMs = performance.now();
    const crowded = this.#crowding.share() >= CROWDED;
    if (crowded) this.#indexAtMs = endedMs + CROWDED_REST * (endedMs - beganMs);
    else if (this.#spool.empty) this.#indexAtMs = endedMs + INDEX_EVERY_MS;
    return true;
  }

  /** False where nothing is to be dropped. */
  #dropSlice(): boolean {
    const endMs = performance.now() + SLICE_MS;
    return this.#retention?.work(this.#indexer.watermarkUs, () => performance.now() >= endMs) ?? false;
  }

  #finish(atUs: number): void {
    if (this.#indexTimer !== null) clearTimeout(this.#indexTimer);
    const held = this.#redactor.finish(atUs);
    if (held !== null) {
      this.#spool.store([held]);
      this.#spool.index(this.#indexer, () => false);
    }
    writeEnding(this.#database, this.#writer, this.#indexer, 'clean', atUs);
    foldInto(this.#database);
    this.#database.close();
    this.#lock.release();
    const { operations, holes } = this.#indexer;
    this.#say({ type: 'closed', operations, holes, bytesWithheld: this.#redactor.bytesWithheld });
    this.#port.close();
  }

  #say(message: FromWorker, transfer: ArrayBuffer[] = []): void {
    this.#port.postMessage(message, transfer);
  }

  #sufferFaults(bytes: number): void {
    const { storeDelayMs = 0, storeBytesPerSecond, throwAfterBlocks } = this.#start.faults;
    const slowMs = storeBytesPerSecond === undefined ? 0 : (1000 * bytes) / storeBytesPerSecond;
    if (storeDelayMs + slowMs > 0)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, storeDelayMs + slowMs);
    if (throwAfterBlocks !== undefined && this.#blocksStored >= throwAfterBlocks)
      throw new Error(`a fault asked for after ${throwAfterBlocks} blocks`);
  }
}

function lockNewTrace(path: string): TraceLock {
  if (existsSync(path)) throw traceExists(path);
  let lock: TraceLock | null;
  try {
    lock = TraceLock.toWrite(path);
  } catch (error) {
    throw cannotCreate(path, error);
  }
  if (lock === null)
    throw new GaptraceError('GAPTRACE_TRACE_IN_USE', `${path} is being written by another gaptrace`);
  return lock;
}

/** What the operator is told of a failure. */
function failure(error: unknown, path: string): GaptraceError {
  if (error instanceof GaptraceError) return error;
  return (
    cannotStore(error, path) ??
    new GaptraceError('GAPTRACE_RECORDER_DIED', `the recorder's worker died: ${messageOf(error)}`)
  );
}

/** On Linux a thread has a niceness of its own, and its number is where /proc says; elsewhere it stays as it is. */
function standBack(): void {
  try {
    setPriority(Number(readlinkSync('/proc/thread-self').split('/').at(-1)), NICENESS);
  } catch {
    // It would only be kinder.
  }
}

function run(port: MessagePort, start: WorkerStart): void {
  let worker: RecorderWorker | null = null;
  const fail = (error: unknown): void => {
    const { code, message } = failure(error, start.path);
    worker?.abandon();
    port.postMessage({ type: 'failed', code, message } satisfies FromWorker);
    port.close();
  };
  const guarded = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      fail(error);
    }
  };
  try {
    worker = new RecorderWorker(port, start, guarded);
  } catch (error) {
    fail(error);
    return;
  }
  const recorder = worker;
  standBack();
  port.on('message', (message: ToWorker) => guarded(() => recorder.work(message)));
  port.postMessage({ type: 'ready' } satisfies FromWorker);
}

if (parentPort !== null) run(parentPort, workerData as WorkerStart);
