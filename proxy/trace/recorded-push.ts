/** A row of the table `push` as a reader hands it out. */
import { firstReply } from './first-reply.js';
import type { PushKind, Reply, TracePush } from './trace.js';

export const PUSHES = `SELECT id, connection, kind, channel, received_us AS receivedUs, flushed_us AS flushedUs, payload,
  payload_length AS payloadLength FROM push`;

export interface PushRow {
  readonly id: number;
  readonly connection: number;
  readonly kind: PushKind;
  readonly channel: string | Buffer | null;
  readonly receivedUs: number;
  readonly flushedUs: number | null;
  readonly payload: Buffer;
  readonly payloadLength: number;
}

export class RecordedPush implements TracePush {
  readonly id: number;
  readonly connection: number;
  readonly kind: PushKind;
  readonly channel: Buffer | null;
  readonly receivedUs: number;
  readonly flushedUs: number | null;
  readonly length: number;
  readonly #bytes: Buffer;
  #frame: Reply | null | undefined;

  constructor(row: PushRow) {
    this.id = row.id;
    this.connection = row.connection;
    this.kind = row.kind;
    this.channel = typeof row.channel === 'string' ? Buffer.from(row.channel, 'utf8') : row.channel;
    this.receivedUs = row.receivedUs;
    this.flushedUs = row.flushedUs;
    this.length = row.payloadLength;
    this.#bytes = row.payload;
  }

  get frame(): Reply | null {
    if (this.#frame === undefined)
      this.#frame = this.#bytes.length < this.length ? null : firstReply(this.#bytes);
    return this.#frame;
  }
}
