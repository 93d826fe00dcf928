/**
 * What passes the proxy, written on the tape: connections that open and close, requests, replies. A reply is handed to the client in
 * the turn in which it was read, as by a proxy that adds no latency; what comes after the client's close is not.
 */
import { type ClosedBody, FLAG_FLUSHED, type OpenedBody, RecordType } from '../proxy/tape.js';
import type { WriteRecord } from '../proxy/whole-trace.js';
import { OK, request } from './frames.js';
import type { Due, Schedule } from './schedule.js';

const NOTHING = Buffer.alloc(0);
const UPSTREAM = '127.0.0.1:6379';
/** redis-py says who it is on each new connection, both in one write. */
const WHO = Buffer.concat([
  request('CLIENT', 'SETINFO', 'LIB-NAME', 'redis-py'),
  request('CLIENT', 'SETINFO', 'LIB-VER', '5.2.1'),
]);
const WHO_ANSWER = Buffer.concat([OK, OK]);
/** How long Redis takes to notice a close. */
const NOTICED_US = 60;
const LARGEST = 64 * 1024;

export class Wire {
  readonly #record: WriteRecord;
  readonly #schedule: Schedule;
  #scratch = Buffer.allocUnsafe(LARGEST);
  #connections = 0;
  #operations = 0;

  constructor(record: WriteRecord, schedule: Schedule) {
    this.#record = record;
    this.#schedule = schedule;
  }

  get connections(): number {
    return this.#connections;
  }

  /** Commands so far. */
  get operations(): number {
    return this.#operations;
  }

  /** A new connection, which says who it is. Returns its number. */
  open(nowUs: number): number {
    const number = ++this.#connections;
    const body: OpenedBody = { client: `127.0.0.1:${20_000 + (number % 40_000)}`, upstream: UPSTREAM };
    this.#record(RecordType.opened, 0, number, nowUs, Buffer.from(JSON.stringify(body)));
    this.request(number, nowUs, WHO, 2);
    return number;
  }

  /** Redis' answer to who it is. */
  welcome(connection: number, nowUs: number): void {
    this.reply(connection, nowUs, WHO_ANSWER);
  }

  /** `commands`: how many there are in these bytes. */
  request(connection: number, nowUs: number, bytes: Uint8Array, commands = 1): void {
    this.#operations += commands;
    this.#record(RecordType.clientBytes, 0, connection, nowUs, bytes);
  }

  /** A request of many pieces. */
  requestOf(connection: number, nowUs: number, pieces: readonly Uint8Array[], commands = 1): void {
    this.request(connection, nowUs, this.#joined(pieces), commands);
  }

  reply(connection: number, nowUs: number, bytes: Uint8Array): void {
    this.#record(RecordType.redisBytes, FLAG_FLUSHED, connection, nowUs, bytes);
  }

  replyOf(connection: number, nowUs: number, pieces: readonly Uint8Array[]): void {
    this.reply(connection, nowUs, this.#joined(pieces));
  }

  /** What Redis still sends to a client that is gone. */
  replyToNobody(connection: number, nowUs: number, pieces: readonly Uint8Array[]): void {
    this.#record(RecordType.redisBytes, 0, connection, nowUs, this.#joined(pieces));
  }

  /** The client closes. Redis does when it notices, unless it has to answer first: `end` is called then. */
  close(connection: number, nowUs: number, answerFollows = false): void {
    const body: ClosedBody = { by: 'client', how: 'fin', unflushedToClient: 0, unflushedToRedis: 0 };
    this.#record(RecordType.closed, 0, connection, nowUs, Buffer.from(JSON.stringify(body)));
    if (!answerFollows) this.#schedule.at(nowUs + NOTICED_US, new End(this, connection));
  }

  end(connection: number, nowUs: number): void {
    this.#record(RecordType.ended, 0, connection, nowUs, NOTHING);
  }

  /** In memory that is used again. */
  #joined(pieces: readonly Uint8Array[]): Buffer {
    let length = 0;
    for (const piece of pieces) length += piece.length;
    if (length > this.#scratch.length) this.#scratch = Buffer.allocUnsafe(2 * length);
    let at = 0;
    for (const piece of pieces) {
      this.#scratch.set(piece, at);
      at += piece.length;
    }
    return this.#scratch.subarray(0, at);
  }
}

class End implements Due {
  constructor(
    private readonly wire: Wire,
    private readonly connection: number,
  ) {}

  run(nowUs: number): void {
    this.wire.end(this.connection, nowUs);
  }
}
