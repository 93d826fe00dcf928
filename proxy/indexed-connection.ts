/**
 * One connection, while it is turned from records into rows: its conversation, and which of its unsettled facts (requests that
 * wait for a reply, pushes not handed on, holes that grow) have rows already, so that a row is written once and then updated.
 */
import { serialize } from 'node:v8';
import { type ClosedBody, type DroppedBody, FLAG_FLUSHED, RecordType, type TapeRecord } from './tape.js';
import type { Rows } from './trace/rows.js';
import { Conversation, type ConversationSink, type ConversationState } from './wire/conversation.js';
import type { ClientFacts, Hole, Operation, Push } from './wire/operation.js';

/** MULTIs whose row ids are remembered: their commands follow at once, a few is plenty. */
const REMEMBERED_MULTIS = 16;

/** The last number given to each, over all connections. */
export interface Numbers {
  operations: number;
  holes: number;
  pushes: number;
}

/** What another process needs to go on with a connection. */
export interface SavedConnection {
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
export class IndexedConnection implements ConversationSink {
  readonly #number: number;
  readonly #writer: Rows;
  readonly #numbers: Numbers;
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
    writer: Rows,
    numbers: Numbers,
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
        this.#writer.connectionClosed(this.#number, atUs, JSON.parse(body.toString('utf8')) as ClosedBody);
        break;
      case RecordType.ended:
        this.#conversation.ended(atUs);
        this.#writer.connectionEnded(this.#number, atUs);
        this.#writeBytes();
        break;
      case RecordType.dropped: {
        const dropped = JSON.parse(body.toString('utf8')) as DroppedBody;
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
    for (const push of pushes) if (!this.#pushRows.has(push)) this.#pushRows.set(push, this.#newPush(push));
    conversation.release();
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
      this.#newPush(push);
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

  #newPush(push: Push): number {
    this.#numbers.pushes += 1;
    this.#writer.push(this.#numbers.pushes, this.#number, push);
    return this.#numbers.pushes;
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
