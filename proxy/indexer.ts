/**
 * From the tape to the trace: the records of stored blocks go to the conversation of their connection, and what comes out of
 * it becomes rows. The live worker, the completion of an abrupt trace and imports all use this one class, in their
 * own transactions.
 *
 * Before a transaction is committed, `save` writes what is still under way (requests that wait, holes that grow) and where
 * each conversation stands, so that another process can go on from the file alone.
 */
import { deserialize, serialize } from 'node:v8';
import { IndexedConnection, type Numbers, type SavedConnection } from './indexed-connection.js';
import { type Note, type OpenedBody, RecordType, type TapeRecord } from './tape.js';
import type { Rows } from './trace/rows.js';
import type { Hole } from './wire/operation.js';

/** The row of table `conversation` that is not about a connection: where the numbering stands. */
const NUMBERING = 0;

export interface IndexerOptions {
  /** Bytes kept of each request and each reply. */
  readonly keepBytes?: number | undefined;
}

interface Numbering {
  readonly operations: number;
  readonly holes: number;
  readonly watermarkUs: number;
  readonly position: number;
}

export class Indexer {
  readonly #writer: Rows;
  readonly #options: { readonly keepBytes?: number };
  readonly #open = new Map<number, IndexedConnection>();
  readonly #touched = new Set<IndexedConnection>();
  readonly #numbers: Numbers;
  #watermarkUs = 0;
  /** Where the caller stands in the oldest stored block; kept here because it must be saved with all else. */
  position = 0;

  /** Goes on from what the trace says; on a new trace that is the beginning. */
  constructor(writer: Rows, options: IndexerOptions = {}) {
    this.#writer = writer;
    this.#numbers = { operations: 0, holes: 0, pushes: writer.lastPush() };
    this.#options = options.keepBytes === undefined ? {} : { keepBytes: options.keepBytes };
    for (const { connection, state } of writer.states()) {
      if (connection === NUMBERING) this.#restoreNumbering(deserialize(state) as Numbering);
      else
        this.#open.set(
          connection,
          new IndexedConnection(
            connection,
            writer,
            this.#numbers,
            this.#options,
            deserialize(state) as SavedConnection,
          ),
        );
    }
  }

  #restoreNumbering(saved: Numbering): void {
    this.#numbers.operations = saved.operations;
    this.#numbers.holes = saved.holes;
    this.#watermarkUs = saved.watermarkUs;
    this.position = saved.position;
  }

  /** Requests found so far. */
  get operations(): number {
    return this.#numbers.operations;
  }

  get holes(): number {
    return this.#numbers.holes;
  }

  /** Time of the last record. */
  get watermarkUs(): number {
    return this.#watermarkUs;
  }

  /** The record's block is kept, and must stay as it is, until `save`. */
  record(record: TapeRecord): void {
    if (record.atUs > this.#watermarkUs) this.#watermarkUs = record.atUs;
    if (record.type === RecordType.note) {
      this.#note(record.atUs, json<Note>(record.body));
      return;
    }
    const connection = this.#connection(record);
    if (connection === null) return;
    this.#touched.add(connection);
    connection.record(record);
    if (record.type === RecordType.ended) {
      this.#open.delete(record.connection);
      this.#touched.delete(connection);
      this.#writer.dropState(record.connection);
    }
  }

  /** A hole that is not about one connection. */
  hole(hole: Omit<Hole, 'id'>): void {
    this.#numbers.holes += 1;
    this.#writer.hole(null, { ...hole, id: this.#numbers.holes });
  }

  /** To be called before each commit. Lets go of the blocks. */
  save(): void {
    for (const connection of this.#touched) connection.save();
    this.#touched.clear();
    const { operations, holes } = this.#numbers;
    const numbering: Numbering = {
      operations,
      holes,
      watermarkUs: this.#watermarkUs,
      position: this.position,
    };
    this.#writer.saveState(NUMBERING, serialize(numbering));
    this.#writer.meta('watermark_us', String(this.#watermarkUs));
    this.#writer.flush();
  }

  /** Nothing more will be recorded: the numbering need not be kept. */
  finish(): void {
    this.#writer.dropState(NUMBERING);
  }

  #note(atUs: number, note: Note): void {
    if (note.note === 'redis-sample') this.#writer.redisSample(atUs, note.values);
    else for (const [key, value] of Object.entries(note.values)) this.#writer.meta(key, value);
  }

  /** The connection that a record is about; null for what comes after its end. */
  #connection(record: TapeRecord): IndexedConnection | null {
    const open = this.#open.get(record.connection);
    if (open !== undefined) return open;
    const number = record.connection;
    const opened = record.type === RecordType.opened;
    if (!opened && this.#writer.hasConnection(number)) {
      this.#afterEnd(record);
      return null;
    }
    const body = opened ? json<OpenedBody>(record.body) : UNKNOWN_ADDRESSES;
    this.#writer.connection(number, record.atUs, body);
    const connection = new IndexedConnection(number, this.#writer, this.#numbers, {
      ...this.#options,
      beganBefore: !opened,
    });
    this.#open.set(number, connection);
    return connection;
  }

  #afterEnd(record: TapeRecord): void {
    if (record.type !== RecordType.clientBytes && record.type !== RecordType.redisBytes) return;
    this.#numbers.holes += 1;
    this.#writer.hole(record.connection, {
      id: this.#numbers.holes,
      direction: record.type === RecordType.clientBytes ? 'client' : 'redis',
      offset: null,
      bytes: record.body.length,
      fromUs: record.atUs,
      toUs: record.atUs,
      reason: 'after-end',
      detail: 'bytes recorded after both sides of the connection were closed',
    });
  }
}

const UNKNOWN_ADDRESSES: OpenedBody = { client: 'unknown', upstream: 'unknown' };

function json<T>(body: Buffer): T {
  return JSON.parse(body.toString('utf8')) as T;
}
