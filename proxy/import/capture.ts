/**
 * The format `redis-wire-capture/1`: what a recording of the bytes between a program and Redis looks like as lines of JSON.
 * The first line is a header; each other is a connection that opens, bytes that were read from one of its sides, or a side that
 * closes, in the order of time. This reads lines into events and says which line is wrong; it opens no file.
 */
import { GaptraceError, messageOf } from '../../terminal/errors.js';

export const CAPTURE_FORMAT = 'redis-wire-capture/1';

export interface CaptureHeader {
  /** Wall clock of time 0, microseconds since 1970. */
  readonly startedUnixUs: number;
  /** How long the recorder held each chunk, each way, before it passed it on: a chunk read at t was handed on at t + delayUs. */
  readonly delayUs: number;
}

export type CaptureEvent = { readonly atUs: number; readonly connection: number } & (
  | { readonly event: 'open' }
  | { readonly event: 'data'; readonly from: 'client' | 'redis'; readonly bytes: Buffer }
  | { readonly event: 'close'; readonly from: 'client' | 'redis' }
);

/** Reads a capture line by line. Each method throws GaptraceError GAPTRACE_CAPTURE naming the line. */
export class CaptureReader {
  readonly #name: string;
  #line = 0;
  #lastUs = 0;

  /** `name`: the file, as errors should show it. */
  constructor(name: string) {
    this.#name = name;
  }

  /** Lines read so far. */
  get line(): number {
    return this.#line;
  }

  header(line: string): CaptureHeader {
    this.#line += 1;
    let header: unknown;
    try {
      header = JSON.parse(line);
    } catch {
      throw this.#wrong('it is not a capture: its first line is not JSON');
    }
    const format = property(header, 'format');
    if (format !== CAPTURE_FORMAT)
      throw this.#wrong(
        format === undefined
          ? `it is not a capture: its first line has no "format" (wanted ${CAPTURE_FORMAT})`
          : `it has the format ${JSON.stringify(format)}; only ${CAPTURE_FORMAT} can be imported`,
      );
    const startedMs = property(header, 'started_unix_ms');
    const delayMs = property(header, 'delay_ms') ?? 0;
    if (!isTime(startedMs)) throw this.#wrongLine('started_unix_ms is not a time in milliseconds');
    if (!isTime(delayMs)) throw this.#wrongLine('delay_ms is not a duration in milliseconds');
    return { startedUnixUs: Math.round(startedMs * 1000), delayUs: Math.round(delayMs * 1000) };
  }

  /** `last`: nothing follows this line, so that JSON that is not whole means a file that was cut. */
  event(line: string, last: boolean): CaptureEvent {
    this.#line += 1;
    let event: unknown;
    try {
      event = JSON.parse(line);
    } catch (error) {
      throw last
        ? this.#wrong(`it was cut: line ${this.#line} ends in the middle`)
        : this.#wrongLine(`not JSON (${messageOf(error)})`);
    }
    return this.#checked(event);
  }

  #checked(event: unknown): CaptureEvent {
    const t = property(event, 't');
    const connection = property(event, 'conn');
    if (!isTime(t)) throw this.#wrongLine('t is not a time in microseconds');
    if (
      typeof connection !== 'number' ||
      !(connection >= 1 && connection <= 0xffffffff) ||
      connection % 1 !== 0
    )
      throw this.#wrongLine('conn is not a connection number');
    const atUs = Math.round(t);
    if (atUs < this.#lastUs)
      throw this.#wrongLine(
        `t goes back, from ${this.#lastUs} to ${atUs}: lines must be in the order of time`,
      );
    this.#lastUs = atUs;
    const kind = property(event, 'ev');
    if (kind === 'open') return { event: 'open', atUs, connection };
    if (kind !== 'data' && kind !== 'close')
      throw this.#wrongLine(`ev is ${JSON.stringify(kind)}, not open, data or close`);
    const from = property(event, 'from');
    if (from !== 'client' && from !== 'redis') throw this.#wrongLine('from is neither client nor redis');
    if (kind === 'close') return { event: 'close', atUs, connection, from };
    return { event: 'data', atUs, connection, from, bytes: this.#bytes(property(event, 'b64')) };
  }

  #bytes(b64: unknown): Buffer {
    if (typeof b64 === 'string') {
      const bytes = Buffer.from(b64, 'base64');
      // Node skips what is not base64; bytes that are missing would show here.
      if (b64.length % 4 === 0 && bytes.length === (b64.length / 4) * 3 - padding(b64)) return bytes;
    }
    throw this.#wrongLine('b64 is not base64');
  }

  #wrong(what: string): GaptraceError {
    return new GaptraceError('GAPTRACE_CAPTURE', `cannot import ${this.#name}: ${what}`);
  }

  #wrongLine(what: string): GaptraceError {
    return this.#wrong(`line ${this.#line}: ${what}`);
  }
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function padding(b64: string): number {
  return b64.endsWith('==') ? 2 : b64.endsWith('=') ? 1 : 0;
}
