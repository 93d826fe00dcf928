/**
 * A capture's events as the records that a live proxy would have put on the tape. What a capture does not say is worked out
 * from its delay: a chunk from Redis was handed to the client half of `delayUs` after it was read, unless the client had
 * closed by then (the earliest that real captures support: docs/decisions/0002-imported-flush-times.md); bytes of a client that were still held when a side closed were not yet handed to Redis.
 *
 * Of the two `close` lines of a connection the first says who closed, the second that it is over.
 */
import { type ClosedBody, FLAG_FLUSHED, type OpenedBody, RecordType } from '../tape.js';
import type { WriteRecord } from '../whole-trace.js';
import type { CaptureEvent } from './capture.js';

/** Bytes on their way through the recorder's delay. */
interface Held {
  readonly connection: ReplayedConnection;
  readonly dueUs: number;
  readonly total: number;
}

interface ReplayedConnection {
  readonly number: number;
  fromRedis: number;
  flushedToClient: number;
  /** What was read from the client lately, for what Redis had not got by its close. */
  readonly fromClient: { readonly dueUs: number; readonly bytes: number }[];
  closed: boolean;
  clientClosed: boolean;
  over: boolean;
}

const UNKNOWN: OpenedBody = { client: 'unknown', upstream: 'unknown' };
const NO_BYTES = Buffer.alloc(0);

export class Replay {
  readonly #write: WriteRecord;
  readonly #delayUs: number;
  readonly #connections = new Map<number, ReplayedConnection>();
  readonly #held: Held[] = [];
  #heldFrom = 0;

  constructor(write: WriteRecord, delayUs: number) {
    this.#write = write;
    this.#delayUs = delayUs;
  }

  /** Connections seen so far. */
  get connections(): number {
    return this.#connections.size;
  }

  event(event: CaptureEvent): void {
    this.#release(event.atUs);
    const connection = this.#connection(event.connection);
    if (event.event === 'open')
      this.#write(RecordType.opened, 0, connection.number, event.atUs, Buffer.from(JSON.stringify(UNKNOWN)));
    else if (event.event === 'close') this.#close(connection, event.atUs, event.from);
    else if (event.from === 'client') this.#fromClient(connection, event.atUs, event.bytes);
    else this.#fromRedis(connection, event.atUs, event.bytes);
  }

  /** The capture ends here: what was due to a client by then has reached it. */
  end(atUs: number): void {
    this.#release(atUs);
  }

  #fromClient(connection: ReplayedConnection, atUs: number, bytes: Buffer): void {
    const { fromClient } = connection;
    while (fromClient.length > 0 && (fromClient[0]?.dueUs ?? 0) <= atUs) fromClient.shift();
    fromClient.push({ dueUs: atUs + this.#delayUs, bytes: bytes.length });
    this.#write(RecordType.clientBytes, 0, connection.number, atUs, bytes);
  }

  #fromRedis(connection: ReplayedConnection, atUs: number, bytes: Buffer): void {
    connection.fromRedis += bytes.length;
    const atOnce = this.#delayUs === 0;
    this.#write(RecordType.redisBytes, atOnce ? FLAG_FLUSHED : 0, connection.number, atUs, bytes);
    if (atOnce) connection.flushedToClient = connection.fromRedis;
    else
      this.#held.push({
        connection,
        dueUs: atUs + Math.floor(this.#delayUs / 2),
        total: connection.fromRedis,
      });
  }

  #close(connection: ReplayedConnection, atUs: number, from: 'client' | 'redis'): void {
    if (from === 'client') connection.clientClosed = true;
    if (connection.closed) {
      if (connection.over) return;
      connection.over = true;
      this.#write(RecordType.ended, 0, connection.number, atUs, NO_BYTES);
      return;
    }
    connection.closed = true;
    let unflushedToRedis = 0;
    for (const { dueUs, bytes } of connection.fromClient) if (dueUs > atUs) unflushedToRedis += bytes;
    const body: ClosedBody = {
      by: from,
      how: 'fin',
      unflushedToClient: connection.fromRedis - connection.flushedToClient,
      unflushedToRedis,
    };
    this.#write(RecordType.closed, 0, connection.number, atUs, Buffer.from(JSON.stringify(body)));
  }

  /** Hands on what is due by `atUs`: the delay is the same for all, so the oldest is due first. */
  #release(atUs: number): void {
    const held = this.#held;
    while (this.#heldFrom < held.length) {
      const next = held[this.#heldFrom] as Held;
      if (next.dueUs > atUs) break;
      this.#heldFrom += 1;
      const { connection, total, dueUs } = next;
      if (connection.clientClosed || connection.over) continue;
      connection.flushedToClient = total;
      const body = Buffer.alloc(8);
      body.writeDoubleLE(total, 0);
      this.#write(RecordType.flushed, 0, connection.number, dueUs, body);
    }
    if (this.#heldFrom > 1024) held.splice(0, this.#heldFrom);
    if (this.#heldFrom > held.length || this.#heldFrom > 1024) this.#heldFrom = 0;
  }

  #connection(number: number): ReplayedConnection {
    let connection = this.#connections.get(number);
    if (connection === undefined) {
      connection = {
        number,
        fromRedis: 0,
        flushedToClient: 0,
        fromClient: [],
        closed: false,
        clientClosed: false,
        over: false,
      };
      this.#connections.set(number, connection);
    }
    return connection;
  }
}
