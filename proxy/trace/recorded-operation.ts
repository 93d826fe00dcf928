/** A row of `operation`, and what a reader is given of it: its bytes are decoded when somebody looks at them. */
import { decodeRequest } from '../wire/decode-request.js';
import { firstReply } from './first-reply.js';
import type { Reply, ReplyKind, TraceOperation, TraceUse } from './trace.js';

/** Rows of OperationRow, for a WHERE and an ORDER BY on `o`. */
export const OPERATIONS = `SELECT o.id, o.connection, o.sequence, c.name AS command, o.requested_us AS requestedUs,
  o.replied_us AS repliedUs, o.flushed_us AS flushedUs, o.owed, o.pipelined, o.transaction_id AS "transaction",
  o.reply_kind AS replyKind, o.request, o.request_length AS requestLength, o.reply, o.reply_length AS replyLength
  FROM operation o JOIN command c ON c.id = o.command`;

/** Rows of UseRow, all of them. */
export const USES = `SELECT o.id, o.connection, c.name AS command, o.requested_us AS requestedUs, o.flushed_us AS flushedUs,
  o.pipelined, o.transaction_id AS "transaction", o.reply_kind AS replyKind
  FROM operation o JOIN command c ON c.id = o.command ORDER BY o.id`;

export type UseRow = Omit<TraceUse, 'pipelined'> & { readonly pipelined: number };

export function useOf(row: UseRow): TraceUse {
  return { ...row, pipelined: row.pipelined !== 0 };
}

export interface OperationRow {
  readonly id: number;
  readonly connection: number;
  readonly sequence: number;
  readonly command: string;
  readonly requestedUs: number;
  readonly repliedUs: number | null;
  readonly flushedUs: number | null;
  readonly owed: number;
  readonly pipelined: number;
  readonly transaction: number | null;
  readonly replyKind: ReplyKind | 'none' | null;
  readonly request: Buffer;
  readonly requestLength: number;
  readonly reply: Buffer | null;
  readonly replyLength: number;
}

export class RecordedOperation implements TraceOperation {
  readonly id: number;
  readonly connection: number;
  readonly sequence: number;
  readonly command: string;
  readonly requestedUs: number;
  readonly repliedUs: number | null;
  readonly flushedUs: number | null;
  readonly owed: number;
  readonly pipelined: boolean;
  readonly transaction: number | null;
  readonly replyKind: ReplyKind | 'none' | null;
  readonly requestLength: number;
  readonly replyLength: number;
  readonly requestCut: boolean;
  readonly replyCut: boolean;
  readonly #request: Buffer;
  readonly #replyBytes: Buffer | null;
  #args: readonly Buffer[] | null = null;
  #reply: Reply | null | undefined;

  constructor(row: OperationRow) {
    this.id = row.id;
    this.connection = row.connection;
    this.sequence = row.sequence;
    this.command = row.command;
    this.requestedUs = row.requestedUs;
    this.repliedUs = row.repliedUs;
    this.flushedUs = row.flushedUs;
    this.owed = row.owed;
    this.pipelined = row.pipelined !== 0;
    this.transaction = row.transaction;
    this.replyKind = row.replyKind;
    this.requestLength = row.requestLength;
    this.replyLength = row.replyLength;
    this.requestCut = row.requestLength > row.request.length;
    this.replyCut = row.replyLength > (row.reply?.length ?? 0);
    this.#request = row.request;
    this.#replyBytes = row.reply;
  }

  get args(): readonly Buffer[] {
    this.#args ??= decodeRequest(this.#request, this.requestCut);
    return this.#args;
  }

  /** Of several confirmations (SUBSCRIBE a b) the first. */
  get reply(): Reply | null {
    if (this.#reply === undefined)
      this.#reply = this.#replyBytes === null || this.replyCut ? null : firstReply(this.#replyBytes);
    return this.#reply;
  }
}
