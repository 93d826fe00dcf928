/**
 * Cuts the bytes from Redis into whole replies, RESP2 and RESP3 in one: a reply is one value with all that is nested in it, plus
 * the attributes (`|`) before it. It counts and skips; decode-reply.ts decodes.
 *
 * Refused, and opaque from there on: an unknown type byte, a length that is no number, a line end that is none, too much
 * nesting, and RESP3's streamed types (`$?`, `*?`), which no Redis sends.
 *
 * A cursor, as RequestFramer is: `push` a chunk, then `next` until it returns false.
 */
import type { FramingFailure } from './request-framer.js';

export const MAX_DEPTH = 1024;
/** Longest bulk or line: beyond what Redis makes (a MONITOR line escapes up to 512 MB of arguments fourfold). */
const MAX_LENGTH = 4 * 1024 * 1024 * 1024;
const MAX_ITEMS = 0xffff_ffff;

const TYPE = 0;
const NUMBER = 1;
const NUMBER_LF = 2;
const LINE = 3;
const LINE_LF = 4;
const PAYLOAD = 5;
const PAYLOAD_CR = 6;
const PAYLOAD_LF = 7;

const CR = 13;
const LF = 10;

const PLUS = 43;
const MINUS = 45;
const COLON = 58;
const DOLLAR = 36;
const STAR = 42;
const UNDERSCORE = 95;
const HASH = 35;
const COMMA = 44;
const PAREN = 40;
const BANG = 33;
const EQUALS = 61;
const PERCENT = 37;
const TILDE = 126;
const GREATER = 62;
const PIPE = 124;

const EMPTY = Buffer.alloc(0);

/** Plain data: survives v8.serialize. */
export interface ReplyFramerState {
  readonly streamOffset: number;
  readonly failure: FramingFailure | null;
  readonly begun: boolean;
  readonly state: number;
  readonly offset: number;
  readonly kept: Uint8Array;
  readonly type: number;
  readonly pushInside: boolean;
  readonly token: number;
  readonly value: number;
  readonly digits: number;
  readonly negative: boolean;
  readonly payloadLeft: number;
  readonly open: readonly number[];
}

export class ReplyFramer {
  /** Offset in the stream of the current reply. */
  offset = 0;
  /** Length on the wire. */
  length = 0;
  cut = false;
  /** First byte of the reply, that of an attribute before it apart. 0 while it is not known. */
  type = 0;
  /** Does a push stand inside of it? No reply of Redis has one but EXEC's, where it spoils the count of the items. */
  pushInside = false;
  failure: FramingFailure | null = null;

  private readonly keepBytes: number;
  private chunk: Buffer = EMPTY;
  private at = 0;
  private chunkOffset = 0;
  /** Where the chunk ends. Not asked of the chunk again: its memory may have gone to another thread since. */
  private streamEnd = 0;
  private startInChunk = 0;
  private kept: Buffer = EMPTY;
  private keptLength = 0;

  private begun = false;
  private state = TYPE;
  /** Type byte of the value that is being read. */
  private token = 0;
  private value = 0;
  private digits = 0;
  private negative = false;
  private payloadLeft = 0;
  /** Values still to come, in each open aggregate, the outermost first; [0] is the reply itself. */
  private open: number[] = [];

  constructor(keepBytes: number, saved?: ReplyFramerState) {
    this.keepBytes = keepBytes;
    if (saved !== undefined) this.goOn(saved);
  }

  get streamOffset(): number {
    return this.streamEnd;
  }

  get midFrame(): boolean {
    return this.begun;
  }

  /** Offset of the first byte that belongs to no whole reply so far. */
  get unread(): number {
    return this.begun ? this.offset : this.chunkOffset + this.at;
  }

  /** Is the current reply `+OK`? The most frequent of all: no need to make its bytes. Only after `next` returned true. */
  get isOk(): boolean {
    if (this.length !== 5 || this.type !== PLUS || this.keptLength !== 0) return false;
    return this.chunk[this.startInChunk + 1] === 79 && this.chunk[this.startInChunk + 2] === 75;
  }

  push(chunk: Buffer): void {
    this.chunkOffset = this.streamEnd;
    this.streamEnd += chunk.length;
    this.chunk = chunk;
    this.at = 0;
    this.startInChunk = 0;
  }

  /** Moves to the next whole reply. False: there is none in what was pushed. */
  next(): boolean {
    if (this.failure !== null) return false;
    if (!this.begun) {
      if (this.at >= this.chunk.length) return false;
      this.beginFrame();
      if (this.shortLine()) return true;
    }
    while (this.at < this.chunk.length) {
      while (this.state === TYPE && this.wholeBulk()) if (!this.begun) return true;
      if (this.at >= this.chunk.length) break;
      if (this.step()) return true;
      if (this.failure !== null) return false;
    }
    this.keep(this.chunk.length);
    return false;
  }

  /** The reply's bytes, cut at the keep limit. May alias the pushed chunk. Only after `next` returned true. */
  bytes(): Buffer {
    const limit = Math.min(this.length, this.keepBytes);
    if (this.keptLength === 0) return this.chunk.subarray(this.startInChunk, this.startInChunk + limit);
    return this.kept.subarray(0, limit);
  }

  /** Lets go of the pushed chunk, after `next` returned false. */
  release(): void {
    this.chunk = EMPTY;
  }

  private beginFrame(): void {
    this.begun = true;
    this.startInChunk = this.at;
    this.offset = this.chunkOffset + this.at;
    this.kept = EMPTY;
    this.keptLength = 0;
    this.type = 0;
    this.pushInside = false;
    this.state = TYPE;
    this.open.length = 1;
    this.open[0] = 1;
  }

  private endFrame(): true {
    this.begun = false;
    this.length = this.chunkOffset + this.at - this.offset;
    this.cut = this.length > this.keepBytes;
    if (this.keptLength > 0) this.keep(this.at);
    return true;
  }

  /** The fast path for `+OK`, `:1` and the like, whole in the chunk. */
  private shortLine(): boolean {
    const { chunk, at } = this;
    const type = chunk[at]!;
    if (type !== PLUS && type !== COLON) return false;
    const end = Math.min(chunk.length - 1, at + 32);
    for (let index = at + 1; index < end; index += 1) {
      const byte = chunk[index]!;
      if (byte === CR) {
        if (chunk[index + 1] !== LF || index === at + 1) return false;
        this.type = type;
        this.at = index + 2;
        return this.endFrame();
      }
      if (type === COLON ? byte < 48 || byte > 57 : byte === LF) return false;
    }
    return false;
  }

  /** The fast path for a bulk that stands whole in the chunk. False: it does not, or it is something else; `step` tells. */
  private wholeBulk(): boolean {
    const { chunk } = this;
    const size = chunk.length;
    let at = this.at;
    if (at + 5 > size || chunk[at] !== DOLLAR) return false;
    at += 1;
    let length = 0;
    const digitsEnd = at + 9;
    for (; at < size && at < digitsEnd; at += 1) {
      const digit = chunk[at]! - 48;
      if (digit < 0 || digit > 9) break;
      length = length * 10 + digit;
    }
    const end = at + 2 + length;
    if (at === this.at + 1 || end + 2 > size) return false;
    if (chunk[at] !== CR || chunk[at + 1] !== LF || chunk[end] !== CR || chunk[end + 1] !== LF) return false;
    if (this.open.length === 1 && this.type === 0) this.type = DOLLAR;
    this.at = end + 2;
    this.gotValue();
    return true;
  }

  /** One state's worth of bytes. True: the reply is whole. */
  private step(): boolean {
    switch (this.state) {
      case TYPE:
        return this.readType();
      case NUMBER:
        return this.readNumber();
      case LINE:
        return this.readLine();
      case PAYLOAD: {
        const taken = Math.min(this.payloadLeft, this.chunk.length - this.at);
        this.at += taken;
        this.payloadLeft -= taken;
        if (this.payloadLeft === 0) this.state = PAYLOAD_CR;
        return false;
      }
      case PAYLOAD_CR:
        if (this.chunk[this.at] !== CR) return this.fail('a bulk does not end where it should');
        this.at += 1;
        this.state = PAYLOAD_LF;
        return false;
      default:
        return this.readLf();
    }
  }

  private readType(): boolean {
    const token = this.chunk[this.at]!;
    this.at += 1;
    this.token = token;
    if (token === PIPE) return this.beginNumber();
    if (this.open.length === 1 && this.type === 0) this.type = token;
    else if (token === GREATER) this.pushInside = true;
    switch (token) {
      case COLON:
      case DOLLAR:
      case STAR:
      case EQUALS:
      case BANG:
      case PERCENT:
      case TILDE:
      case GREATER:
        return this.beginNumber();
      case PLUS:
      case MINUS:
      case UNDERSCORE:
      case HASH:
      case COMMA:
      case PAREN:
        this.state = LINE;
        this.digits = 0;
        return false;
      default:
        return this.fail(`unknown reply type 0x${token.toString(16).padStart(2, '0')}`);
    }
  }

  private beginNumber(): false {
    this.state = NUMBER;
    this.value = 0;
    this.digits = 0;
    this.negative = false;
    return false;
  }

  private readNumber(): boolean {
    const { chunk } = this;
    while (this.at < chunk.length) {
      const byte = chunk[this.at]!;
      this.at += 1;
      const digit = byte - 48;
      if (digit >= 0 && digit <= 9 && this.digits < 20) {
        this.value = this.value * 10 + digit;
        this.digits += 1;
      } else if (byte === CR && this.digits > 0) {
        this.state = NUMBER_LF;
        return false;
      } else if (byte === MINUS && this.digits === 0 && !this.negative) {
        this.negative = true;
      } else {
        return this.fail(byte === 63 ? 'streamed replies are not known' : 'a number that is none');
      }
    }
    return false;
  }

  private readLine(): boolean {
    const { chunk } = this;
    const cr = chunk.indexOf(CR, this.at);
    const end = cr < 0 ? chunk.length : cr;
    this.digits += end - this.at; // here: the line's length
    if (this.digits > MAX_LENGTH) return this.fail('a line is too long');
    this.at = end;
    if (cr < 0) return false;
    this.at += 1;
    this.state = LINE_LF;
    const { token, digits } = this;
    if ((token === UNDERSCORE && digits !== 0) || (token === HASH && digits !== 1)) {
      return this.fail('a null or a boolean that is none');
    }
    return false;
  }

  private readLf(): boolean {
    if (this.chunk[this.at] !== LF) return this.fail('a CR without its LF');
    this.at += 1;
    return this.state === NUMBER_LF ? this.gotNumber() : this.gotValue();
  }

  /** A header is read: a payload or items follow, or that was the value. */
  private gotNumber(): boolean {
    const { token, value } = this;
    if (token === COLON) return this.gotValue();
    if (this.negative) {
      const isNull = value === 1 && (token === DOLLAR || token === STAR);
      return isNull ? this.gotValue() : this.fail('a length below zero');
    }
    if (token === DOLLAR || token === BANG || token === EQUALS) {
      if (value > MAX_LENGTH) return this.fail('a bulk is too long');
      this.payloadLeft = value;
      this.state = value === 0 ? PAYLOAD_CR : PAYLOAD;
      return false;
    }
    if (value > MAX_ITEMS) return this.fail('too many items');
    const items = token === PERCENT || token === PIPE ? value * 2 : value;
    // An attribute is an extra in front of a value: the value it belongs to is still to come.
    if (token === PIPE) this.open[this.open.length - 1]! += 1;
    if (items === 0) return this.gotValue();
    if (this.open.length > MAX_DEPTH) return this.fail('nested too deep');
    this.open.push(items);
    this.state = TYPE;
    return false;
  }

  /** A value is whole, and perhaps with it the aggregates around it. */
  private gotValue(): boolean {
    const { open } = this;
    this.state = TYPE;
    for (let depth = open.length - 1; depth >= 0; depth -= 1) {
      const left = open[depth]! - 1;
      open[depth] = left;
      if (left > 0) {
        open.length = depth + 1;
        return false;
      }
    }
    return this.endFrame();
  }

  private fail(reason: string): false {
    this.failure = { offset: this.offset, reason };
    this.kept = EMPTY;
    this.keptLength = 0;
    return false;
  }

  private keep(end: number): void {
    const taken = Math.min(end - this.startInChunk, this.keepBytes - this.keptLength);
    if (taken > 0) {
      const needed = this.keptLength + taken;
      if (needed > this.kept.length) {
        const grown = Buffer.allocUnsafe(Math.max(needed, Math.min(this.keepBytes, this.kept.length * 2)));
        this.kept.copy(grown, 0, 0, this.keptLength);
        this.kept = grown;
      }
      this.chunk.copy(this.kept, this.keptLength, this.startInChunk, this.startInChunk + taken);
      this.keptLength = needed;
    }
    this.startInChunk = end;
  }

  save(): ReplyFramerState {
    return {
      streamOffset: this.streamOffset,
      failure: this.failure,
      begun: this.begun,
      state: this.state,
      offset: this.offset,
      kept: Buffer.from(this.kept.subarray(0, this.keptLength)),
      type: this.type,
      pushInside: this.pushInside,
      token: this.token,
      value: this.value,
      digits: this.digits,
      negative: this.negative,
      payloadLeft: this.payloadLeft,
      open: [...this.open],
    };
  }

  private goOn(state: ReplyFramerState): void {
    this.chunkOffset = state.streamOffset;
    this.streamEnd = state.streamOffset;
    this.failure = state.failure;
    this.begun = state.begun;
    this.state = state.state;
    this.offset = state.offset;
    this.kept = Buffer.from(state.kept);
    this.keptLength = state.kept.length;
    this.type = state.type;
    this.pushInside = state.pushInside;
    this.token = state.token;
    this.value = state.value;
    this.digits = state.digits;
    this.negative = state.negative;
    this.payloadLeft = state.payloadLeft;
    this.open = [...state.open];
  }
}
