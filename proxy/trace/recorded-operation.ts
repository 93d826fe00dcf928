/** A row of `operation`, and what a reader is given of it: its bytes are decoded when somebody looks at them. */
import { decodeRequest } from '../wire/decode-request.js';
import { firstReply } from './first-reply.js';
import type { Reply, ReplyKind, TraceOperation, TraceUse } from './trace.js';

/** What a row holds beside its bytes. Arrays, and commands by number: a trace has millions of them. */
export type OperationNumbers = readonly [
  id: number,
  connection: number,
  sequence: number,
  command: number,
  requestedUs: number,
  repliedUs: number | null,
  flushedUs: number | null,
  owed: number,
  pipelined: number,
  transaction: number | null,
  replyKind: ReplyKind | 'none' | null,
  requestLength: number,
  /** Kept of it. */
  requestBytes: number,
  replyLength: number,
  replyBytes: number | null,
];

/** Rows of UseRow, all of them. */
export const USES = `SELECT o.id, o.connection, o.command, o.requested_us, o.flushed_us, o.pipelined, o.transaction_id, o.reply_kind
  FROM operation o ORDER BY o.id`;

export type UseRow = readonly [
  id: number,
  connection: number,
  command: number,
  requestedUs: number,
  flushedUs: number | null,
  pipelined: number,
  transaction: number | null,
  replyKind: ReplyKind | 'none' | null,
];

export function useOf(row: UseRow, commands: CommandNames): TraceUse {
  return {
    id: row[0],
    connection: row[1],
    command: commands.of(row[2]),
    requestedUs: row[3],
    flushedUs: row[4],
    pipelined: row[5] !== 0,
    transaction: row[6],
    replyKind: row[7],
  };
}

/** The names of commands by their numbers in a trace. */
export class CommandNames {
  readonly #read: () => readonly (readonly [id: number, name: string])[];
  #names: ReadonlyMap<number, string> = new Map();

  /** `read` gives those that the trace has; asked again when one is not among them, as a trace that is being written gets more. */
  constructor(read: () => readonly (readonly [id: number, name: string])[]) {
    this.#read = read;
  }

  of(id: number): string {
    if (!this.#names.has(id)) this.#names = new Map(this.#read());
    return this.#names.get(id) ?? '';
  }

  /** The numbers that some names have now. */
  idsOf(names: readonly string[]): number[] {
    this.#names = new Map(this.#read());
    return [...this.#names].filter(([, name]) => names.includes(name)).map(([id]) => id);
  }
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

  constructor(numbers: OperationNumbers, commands: CommandNames, request: Buffer, reply: Buffer | null) {
    this.id = numbers[0];
    this.connection = numbers[1];
    this.sequence = numbers[2];
    this.command = commands.of(numbers[3]);
    this.requestedUs = numbers[4];
    this.repliedUs = numbers[5];
    this.flushedUs = numbers[6];
    this.owed = numbers[7];
    this.pipelined = numbers[8] !== 0;
    this.transaction = numbers[9];
    this.replyKind = numbers[10];
    this.requestLength = numbers[11];
    this.replyLength = numbers[13];
    this.requestCut = this.requestLength > request.length;
    this.replyCut = this.replyLength > (reply?.length ?? 0);
    this.#request = request;
    this.#replyBytes = reply;
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
