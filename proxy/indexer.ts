/**
 * From the tape to the trace: the records of stored blocks go to the conversation of their connection, and what comes out of
 * it becomes rows. The live worker, the completion of an abrupt trace and imports all use this one class, in their
 * own transactions.
 *
 * Before a transaction is committed, `save` writes what is still under way (requests that wait, holes that grow) and where
 * each conversation stands, so that another process can go on from the file alone.
 */
import { deserialize, serialize } from 'node:v8';
import {
  type ClosedBody,
  type DroppedBody,
  FLAG_FLUSHED,
  type Note,
  type OpenedBody,
  RecordType,
  type TapeRecord,
} from './tape.js';
import type { TraceWriter } from './trace/writer.js';
import { Conversation, type ConversationSink, type ConversationState } from './wire/conversation.js';
import type { ClientFacts, Hole, Operation, Push } from './wire/operation.js';

/** The row of table `conversation` that is not about a connection: where the numbering stands. */
const NUMBERING = 0;
/** MULTIs whose row ids are remembered: their commands follow at once, a few is plenty. */
const REMEMBERED_MULTIS = 16;

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
  readonly #writer: TraceWriter;
  readonly #options: { readonly keepBytes?: number };
  readonly #open = new Map<number, IndexedConnection>();
  readonly #touched = new Set<IndexedConnection>();
  readonly #numbers = { operations: 0, holes: 0 };
  #watermarkUs = 0;
  /** Where the caller stands in the oldest stored block; kept here because it must be saved with all else. */
  position = 0;

  /** Goes on from what the trace says; on a new trace that is the beginning. */
  constructor(writer: TraceWriter, options: IndexerOptions = {}) {
    this.#writer = writer;
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

  /** To be called before each commit. */
  save(): void {
    for (const connection of this.#touched) connection.save();
    this.#touched.clear();
    const numbering: Numbering = {
      ...this.#numbers,
      watermarkUs: this.#watermarkUs,
      position: this.position,
    };
    this.#writer.saveState(NUMBERING, serialize(numbering));
    this.#writer.meta('watermark_us', String(this.#watermarkUs));
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

/** What another process needs to go on with a connection. */
interface SavedConnection {
  readonly conversation: ConversationState;
  readonly bytesFromClient: number;
  readonly bytesFromRedis: number;
  /** Operations under way that have a row, and whether the row has the reply. */
  readonly written: ReadonlyMap<number, boolean>;
  /** Rows of the pushes under way, in their order. */
  readonly pushRows: readonly number[];
  readonly multis: ReadonlyMap<number, number>;
}

/** One connection: its conversation, and which of its unsettled facts have rows. */
class IndexedConnection implements ConversationSink {
  readonly #number: number;
  readonly #writer: TraceWriter;
  readonly #numbers: { operations: number; holes: number };
  readonly #conversation: Conversation;
  readonly #written: Map<number, boolean>;
  readonly #writtenHoles = new Map<number, number>();
  readonly #pushRows = new Map<Push, number>();
  /** Row ids of the last MULTIs, by their sequence. */
  readonly #multis: Map<number, number>;
  #bytesFromClient: number;
  #bytesFromRedis: number;

  constructor(
    number: number,
    writer: TraceWriter,
    numbers: { operations: number; holes: number },
    options: { readonly keepBytes?: number; readonly beganBefore?: boolean },
    saved?: SavedConnection,
  ) {
    this.#number = number;
    this.#writer = writer;
    this.#numbers = numbers;
    this.#written = new Map(saved?.written);
    this.#multis = new Map(saved?.multis);
    this.#bytesFromClient = saved?.bytesFromClient ?? 0;
    this.#bytesFromRedis = saved?.bytesFromRedis ?? 0;
    this.#conversation =
      saved === undefined
        ? new Conversation(this, options)
        : Conversation.restore(this, options, saved.conversation);
    if (saved !== undefined) this.#restorePushes(saved.pushRows);
  }

  record(record: TapeRecord): void {
    const { body, atUs } = record;
    switch (record.type) {
      case RecordType.clientBytes:
        this.#bytesFromClient += body.length;
        this.#conversation.clientBytes(body, atUs);
        break;
      case RecordType.redisBytes:
        this.#bytesFromRedis += body.length;
        this.#conversation.redisBytes(body, atUs, (record.flags & FLAG_FLUSHED) !== 0);
        break;
      case RecordType.flushed:
        this.#conversation.flushed(body.readDoubleLE(0), atUs);
        break;
      case RecordType.closed:
        this.#writer.connectionClosed(this.#number, atUs, json<ClosedBody>(body));
        break;
      case RecordType.ended:
        this.#conversation.ended(atUs);
        this.#writer.connectionEnded(this.#number, atUs);
        this.#writeBytes();
        break;
      case RecordType.dropped: {
        const dropped = json<DroppedBody>(body);
        this.#bytesFromClient += dropped.fromClient;
        this.#bytesFromRedis += dropped.fromRedis;
        this.#conversation.dropped(dropped);
        break;
      }
    }
  }

  save(): void {
    const conversation = this.#conversation;
    for (const operation of conversation.outstanding()) this.#saveOutstanding(operation);
    for (const hole of conversation.openHoles()) this.#saveOpenHole(hole);
    const pushes = conversation.pendingPushes();
    for (const push of pushes)
      if (!this.#pushRows.has(push)) this.#pushRows.set(push, this.#writer.push(this.#number, push));
    this.#writeBytes();
    const saved: SavedConnection = {
      conversation: conversation.save(),
      bytesFromClient: this.#bytesFromClient,
      bytesFromRedis: this.#bytesFromRedis,
      written: this.#written,
      pushRows: pushes.map((push) => this.#pushRows.get(push) as number),
      multis: this.#multis,
    };
    this.#writer.saveState(this.#number, serialize(saved));
  }

  // --- ConversationSink ----------------------------------------------------------------------------------------

  nextOperationId(): number {
    this.#numbers.operations += 1;
    return this.#numbers.operations;
  }

  nextHoleId(): number {
    this.#numbers.holes += 1;
    return this.#numbers.holes;
  }

  operation(operation: Operation): void {
    if (this.#written.size > 0 && this.#written.delete(operation.id)) this.#writer.operationReply(operation);
    else this.#newOperation(operation);
  }

  push(push: Push): void {
    const row = this.#pushRows.get(push);
    if (row === undefined) {
      this.#writer.push(this.#number, push);
      return;
    }
    this.#pushRows.delete(push);
    this.#writer.pushFlushed(row, push);
  }

  hole(hole: Hole): void {
    this.#writtenHoles.delete(hole.id);
    this.#writer.hole(this.#number, hole);
  }

  facts(facts: ClientFacts): void {
    this.#writer.connectionFacts(this.#number, facts);
  }

  // --- under way -----------------------------------------------------------------------------------------------

  #newOperation(operation: Operation): void {
    this.#writer.operation(this.#number, operation, this.#transactionOf(operation));
    if (operation.redactedBytes > 0) this.hole(redacted(operation, this.nextHoleId()));
  }

  #saveOutstanding(operation: Operation): void {
    const replied = operation.repliedUs !== null;
    const before = this.#written.get(operation.id);
    if (before === replied) return;
    if (before === undefined) this.#newOperation(operation);
    else this.#writer.operationReply(operation);
    this.#written.set(operation.id, replied);
  }

  #saveOpenHole(hole: Hole): void {
    if (this.#writtenHoles.get(hole.id) === hole.bytes) return;
    this.#writtenHoles.set(hole.id, hole.bytes);
    this.#writer.hole(this.#number, hole);
  }

  #restorePushes(rows: readonly number[]): void {
    for (const [n, push] of this.#conversation.pendingPushes().entries()) {
      const row = rows[n];
      if (row !== undefined) this.#pushRows.set(push, row);
    }
  }

  /** Row id of the MULTI that an operation belongs to. */
  #transactionOf(operation: Operation): number | null {
    const { transaction, sequence, id } = operation;
    if (transaction === null) return null;
    if (transaction === sequence) {
      this.#multis.set(sequence, id);
      if (this.#multis.size > REMEMBERED_MULTIS)
        this.#multis.delete(this.#multis.keys().next().value as number);
    }
    return this.#multis.get(transaction) ?? null;
  }

  #writeBytes(): void {
    this.#writer.connectionBytes(this.#number, this.#bytesFromClient, this.#bytesFromRedis);
  }
}

/** A password that was blanked is bytes that are not in the trace, and so a hole, small as it is. */
function redacted(operation: Operation, id: number): Hole {
  return {
    id,
    direction: 'client',
    offset: null,
    bytes: operation.redactedBytes,
    fromUs: operation.requestedUs,
    toUs: operation.requestedUs,
    reason: 'redacted',
    detail: `secrets in ${operation.command} (operation ${operation.id}) are blanked`,
  };
}
