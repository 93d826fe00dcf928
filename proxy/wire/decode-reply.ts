/**
 * One whole reply frame into a value. The wire's distinctions stay (`+OK` is not `$2 OK`, the nulls differ); attributes are
 * dropped. Bulks alias the bytes given. Bytes that are no reply throw UndecodableReply, and nothing else.
 */
import type { Reply } from './reply.js';
import { MAX_DEPTH } from './reply-framer.js';

const PIPE = 124;
const SMALL_DIGITS = 10;

export class UndecodableReply extends Error {
  override readonly name = 'UndecodableReply';
}

/** Decodes exactly one reply, all of the bytes. */
export function decodeReply(bytes: Buffer): Reply {
  const decoder = new Decoder(bytes);
  const reply = decoder.value(0);
  if (decoder.at !== bytes.length) throw new UndecodableReply(`bytes follow the reply at byte ${decoder.at}`);
  return reply;
}

/** Decodes replies that stand one after the other, such as the confirmations of a SUBSCRIBE to several channels. */
export function decodeReplies(bytes: Buffer): Reply[] {
  const decoder = new Decoder(bytes);
  const replies: Reply[] = [];
  while (decoder.at < bytes.length) replies.push(decoder.value(0));
  return replies;
}

class Decoder {
  at = 0;
  private readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  value(depth: number): Reply {
    if (depth > MAX_DEPTH) throw new UndecodableReply('nested too deep');
    while (this.bytes[this.at] === PIPE) {
      this.at += 1;
      this.entries(this.length(), depth);
    }
    const type = String.fromCharCode(this.bytes[this.at] ?? 0);
    const start = this.at;
    this.at += 1;
    switch (type) {
      case '+':
        return { kind: 'simple', text: this.line() };
      case '-':
        return { kind: 'error', text: this.line() };
      case ':':
        return { kind: 'integer', value: BigInt(this.smallNumber() ?? this.digits()) };
      case '(':
        return { kind: 'big-number', digits: this.digits() };
      case ',':
        return this.double();
      case '#':
        return this.boolean();
      case '_':
        if (this.line() !== '') this.refuse('a null with something in it', start);
        return { kind: 'null', form: 'resp3' };
      case '$': {
        const length = this.length();
        return length < 0 ? { kind: 'null', form: 'bulk' } : { kind: 'bulk', bytes: this.payload(length) };
      }
      case '!':
        return { kind: 'error', text: this.payload(this.length()).toString() };
      case '=':
        return this.verbatim();
      case '*': {
        const count = this.length();
        return count < 0
          ? { kind: 'null', form: 'array' }
          : { kind: 'array', items: this.items(count, depth) };
      }
      case '~':
        return { kind: 'set', items: this.items(this.length(), depth) };
      case '>':
        return { kind: 'push', items: this.items(this.length(), depth) };
      case '%':
        return { kind: 'map', entries: this.entries(this.length(), depth) };
      default:
        return this.refuse('no reply begins so', start);
    }
  }

  private refuse(what: string, at: number): never {
    throw new UndecodableReply(`${what}, at byte ${at}`);
  }

  private line(): string {
    const end = this.bytes.indexOf('\r\n', this.at, 'latin1');
    if (end < 0) this.refuse('a line without an end', this.at);
    const text = this.bytes.toString('utf8', this.at, end);
    this.at = end + 2;
    return text;
  }

  /** A line of a few digits, as nearly all numbers are: read without making a text of it. Null, and nothing read: it is something else. */
  private smallNumber(): number | null {
    const { bytes, at } = this;
    let value = 0;
    for (let end = at; end < at + SMALL_DIGITS; end += 1) {
      const byte = bytes[end] ?? 0;
      if (byte === 13 && bytes[end + 1] === 10 && end > at) {
        this.at = end + 2;
        return value;
      }
      if (byte < 48 || byte > 57) return null;
      value = value * 10 + (byte - 48);
    }
    return null;
  }

  private digits(): string {
    const start = this.at;
    const text = this.line();
    if (!/^-?\d+$/.test(text)) this.refuse('a number that is none', start);
    return text;
  }

  /** Of a bulk or an aggregate; -1 for a null, where the caller allows it. */
  private length(): number {
    const start = this.at;
    const length = this.smallNumber() ?? Number(this.digits());
    const nullable = this.bytes[start - 1] === 36 || this.bytes[start - 1] === 42;
    if (length < (nullable ? -1 : 0)) this.refuse('a length below zero', start);
    // Each byte of a bulk, and at least a byte for each item, must still be there: no room is made for more.
    if (length > this.bytes.length - this.at) this.refuse('longer than its bytes', start);
    return length;
  }

  private payload(length: number): Buffer {
    const start = this.at;
    const end = start + length;
    if (this.bytes[end] !== 13 || this.bytes[end + 1] !== 10)
      this.refuse('a bulk does not end where it should', end);
    this.at = end + 2;
    return this.bytes.subarray(start, end);
  }

  private items(count: number, depth: number): Reply[] {
    const items: Reply[] = [];
    for (let index = 0; index < count; index += 1) items.push(this.value(depth + 1));
    return items;
  }

  private entries(count: number, depth: number): [Reply, Reply][] {
    const entries: [Reply, Reply][] = [];
    for (let index = 0; index < count; index += 1) {
      const key = this.value(depth + 1);
      entries.push([key, this.value(depth + 1)]);
    }
    return entries;
  }

  private double(): Reply {
    const start = this.at;
    const text = this.line();
    const named = NAMED_DOUBLES[text.toLowerCase()];
    if (named === undefined && !/^[+-]?\d+(\.\d*)?([eE][+-]?\d+)?$/.test(text)) {
      this.refuse('a double that is none', start);
    }
    return { kind: 'double', value: named ?? Number(text), text };
  }

  private boolean(): Reply {
    const start = this.at;
    const text = this.line();
    if (text !== 't' && text !== 'f') this.refuse('a boolean that is none', start);
    return { kind: 'boolean', value: text === 't' };
  }

  private verbatim(): Reply {
    const start = this.at;
    const bytes = this.payload(this.length());
    if (bytes.length < 4 || bytes[3] !== 58) this.refuse('a verbatim string without its format', start);
    return { kind: 'verbatim', format: bytes.toString('latin1', 0, 3), bytes: bytes.subarray(4) };
  }
}

const NAMED_DOUBLES: Readonly<Record<string, number>> = {
  __proto__: null as never,
  inf: Number.POSITIVE_INFINITY,
  '+inf': Number.POSITIVE_INFINITY,
  '-inf': Number.NEGATIVE_INFINITY,
  nan: Number.NaN,
  '-nan': Number.NaN,
};
