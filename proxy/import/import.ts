/**
 * A capture into a trace, through the code that live traffic goes through: the tape's blocks, the redactor, the indexer. The
 * trace is written beside its place under another name and appears there when it is whole; until then, and after an error,
 * nothing is there.
 */
import { closeSync, existsSync, fsyncSync, linkSync, openSync, renameSync, rmSync } from 'node:fs';
import type Database from 'better-sqlite3';
import { GaptraceError } from '../../terminal/errors.js';
import { nameOfInput, readLines } from '../../terminal/lines.js';
import { BlockRedactor } from '../block-redactor.js';
import { Indexer } from '../indexer.js';
import { BlockWriter, HEAD_BYTES, type RecordType, readBlock } from '../tape.js';
import { createTrace, traceExists } from '../trace/create.js';
import { writeEnding } from '../trace/ending.js';
import { hasCode } from '../trace/sqlite-errors.js';
import { TraceWriter } from '../trace/writer.js';
import { CAPTURE_FORMAT, type CaptureEvent, CaptureReader } from './capture.js';
import { Replay } from './replay.js';

export interface ImportProgress {
  readonly lines: number;
  readonly atUs: number;
}

export interface ImportOptions {
  readonly file: string;
  readonly trace: string;
  /** Goes into `meta`. */
  readonly meta?: Readonly<Record<string, string>>;
  readonly onProgress?: (progress: ImportProgress) => void;
  /** Aborted: the import stops, leaves nothing, and throws the signal's reason. */
  readonly signal?: AbortSignal;
}

export interface ImportSummary {
  readonly connections: number;
  readonly operations: number;
  readonly pushes: number;
  readonly holes: number;
  readonly durationUs: number;
}

/**
 * Imports a file of the format redis-wire-capture/1, plain or gzip, `-` for standard input.
 * @throws GaptraceError GAPTRACE_INPUT, GAPTRACE_CAPTURE, GAPTRACE_TRACE_EXISTS, GAPTRACE_TRACE_CREATE; nothing is left behind.
 */
export async function importCapture(options: ImportOptions): Promise<ImportSummary> {
  const { file, trace, signal } = options;
  if (existsSync(trace)) throw traceExists(trace);
  const lines = readLines(file);
  const temporary = `${trace}.importing-${process.pid}`;
  const target = new ImportedTrace(temporary);
  try {
    const summary = await Promise.race([feed(options, lines, target), aborted(signal)]);
    putInPlace(temporary, trace);
    return summary;
  } finally {
    target.close();
    for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(temporary + suffix, { force: true });
    // Not waited for: a read from a terminal or a pipe may never come back.
    lines.return().catch(() => {});
  }
}

/** All lines of the capture into the trace, which is whole afterwards. */
async function feed(
  options: ImportOptions,
  lines: AsyncGenerator<string, void, undefined>,
  target: ImportedTrace,
): Promise<ImportSummary> {
  const { signal, onProgress } = options;
  const name = nameOfInput(options.file);
  const reader = new CaptureReader(name);
  const first = await lines.next();
  signal?.throwIfAborted();
  if (first.done === true) throw new GaptraceError('GAPTRACE_CAPTURE', `cannot import ${name}: it is empty`);
  const { startedUnixUs, delayUs } = reader.header(first.value);
  target.create(startedUnixUs, {
    ...options.meta,
    source: 'import',
    capture_file: name,
    capture_format: CAPTURE_FORMAT,
    latency_us: String(delayUs),
  });
  const replay = new Replay(target.write, delayUs);
  let atUs = 0;
  for await (const event of events(lines, reader)) {
    signal?.throwIfAborted();
    replay.event(event);
    atUs = event.atUs;
    onProgress?.({ lines: reader.line, atUs });
  }
  replay.end(atUs);
  return target.finish(atUs);
}

/** Rejects with the signal's reason once it is aborted. */
function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    if (signal?.aborted === true) reject(signal.reason);
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/** The events of all lines but the first, read one line ahead: to know the last. */
async function* events(
  lines: AsyncIterator<string>,
  reader: CaptureReader,
): AsyncGenerator<CaptureEvent, void, undefined> {
  let line = await lines.next();
  while (line.done !== true) {
    const next = await lines.next();
    if (line.value !== '' || next.done !== true) yield reader.event(line.value, next.done === true);
    line = next;
  }
}

/** Records -> blocks -> rows, in one transaction in a file that nobody else sees yet. */
class ImportedTrace {
  readonly #path: string;
  #open: {
    readonly database: Database.Database;
    readonly writer: TraceWriter;
    readonly indexer: Indexer;
  } | null = null;
  readonly #redactor = new BlockRedactor();
  #block = new BlockWriter(Buffer.allocUnsafe(BLOCK_BYTES));

  constructor(path: string) {
    this.#path = path;
  }

  create(startedUnixUs: number, meta: Readonly<Record<string, string>>): void {
    const database = createTrace(this.#path, { meta, startedUnixUs, writing: 'alone' });
    database.exec('BEGIN');
    const writer = new TraceWriter(database);
    this.#open = { database, writer, indexer: new Indexer(writer) };
  }

  readonly write = (
    type: RecordType,
    flags: number,
    connection: number,
    atUs: number,
    body: Uint8Array,
  ): void => {
    let at = 0;
    do {
      if (this.#block.length > 0 && !this.#block.fits(Math.min(body.length - at, SMALLEST_PART)))
        this.#index();
      const room = BLOCK_BYTES - this.#block.length - HEAD_BYTES;
      const part = body.subarray(at, at + room);
      this.#block.write(type, flags, connection, atUs, part);
      at += part.length;
    } while (at < body.length);
  };

  /** All is written: the rest of the tape, and the end marker. */
  finish(atUs: number): ImportSummary {
    this.#index();
    const held = this.#redactor.finish(atUs);
    if (held !== null) this.#indexSafe(held);
    const { database, writer, indexer } = this.#trace;
    indexer.save();
    database.exec('COMMIT');
    writeEnding(database, writer, indexer, 'clean', atUs);
    const count = (table: string): number =>
      database.prepare(`SELECT count(*) FROM ${table}`).pluck().get() as number;
    return {
      connections: count('connection'),
      operations: count('operation'),
      pushes: count('push'),
      holes: count('hole'),
      durationUs: atUs,
    };
  }

  close(): void {
    this.#open?.database.close();
  }

  get #trace() {
    if (this.#open === null) throw new Error('the trace is not created yet');
    return this.#open;
  }

  #index(): void {
    this.#indexSafe(this.#redactor.redact(this.#block.buffer.subarray(0, this.#block.length)));
    this.#block = new BlockWriter(this.#block.buffer);
  }

  #indexSafe(block: Buffer): void {
    const { indexer } = this.#trace;
    for (const record of readBlock(block)) indexer.record(record);
  }
}

const BLOCK_BYTES = 256 * 1024;
const SMALLEST_PART = 1024;

/** Gives the whole trace its name; never takes the place of a file that appeared meanwhile. */
function putInPlace(temporary: string, trace: string): void {
  const descriptor = openSync(temporary, 'r');
  fsyncSync(descriptor);
  closeSync(descriptor);
  try {
    linkSync(temporary, trace);
  } catch (error) {
    if (hasCode(error, 'EEXIST') || existsSync(trace)) throw traceExists(trace);
    renameSync(temporary, trace); // a file system without hard links
  }
}
