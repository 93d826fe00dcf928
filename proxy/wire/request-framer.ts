/**
 * Cuts the client's byte stream into whole requests: RESP arrays of bulk strings and inline commands, as Redis 7.0 reads them
 * (networking.c, processInputBuffer). It knows where each frame stands in the stream and how long it is; it does not decode it.
 *
 * It accepts what Redis accepts, no less: Redis does not look at the two bytes after a bulk, nor at the byte after a
 * header's CR, so neither does this. What it refuses, Redis answers with a protocol error and closes.
 *
 * A cursor, for speed: `push` a chunk, then `next` until it returns false; after each true the fields describe one frame.
 */
import { splitInline } from './inline.js';

/** Redis' default proto-max-bulk-len. */
export const MAX_BULK = 512 * 1024 * 1024;
/** Redis 7 takes up to INT_MAX arguments (before 7: 1024 * 1024). */
export const MAX_ARGUMENTS = 2_147_483_647;
/** PROTO_INLINE_MAX_SIZE. */
export const MAX_INLINE = 64 * 1024;

/** Where a stream could not be framed: the offset of the frame that is refused. Everything from there on is opaque. */
export interface FramingFailure {
  readonly offset: number;
  readonly reason: string;
  /** A limit of ours that a Redis may have set higher: it may go on and answer. Else it surely closes. */
  readonly redisMayGoOn?: true;
}

const START = 0;
const COUNT = 1;
const BULK_START = 2;
const BULK_LENGTH = 3;
const AFTER_CR = 4;
const PAYLOAD = 5;
const INLINE = 6;

const EMPTY = Buffer.alloc(0);

/** Plain data: survives v8.serialize. */
export interface RequestFramerState {
  readonly streamOffset: number;
  readonly failure: FramingFailure | null;
  readonly state: number;
  readonly offset: number;
  readonly kept: Uint8Array;
  readonly value: number;
  readonly digits: number;
  readonly negative: boolean;
  readonly afterCr: number;
  readonly argumentsLeft: number;
  readonly payloadLeft: number;
  readonly argumentCount: number;
  readonly commandStart: number;
  readonly commandLength: number;
}

export class RequestFramer {
  /** Offset in the stream of the current frame: the whole one after `next` returned true, else the one not yet whole. */
  offset = 0;
  /** Length of the frame on the wire. */
  length = 0;
  /** Was it longer than what is kept? */
  cut = false;
  inline = false;
  /** Arguments, the command's name included; 0 for an empty frame, which Redis does not answer. */
  argumentCount = 0;
  /** Where the command's name stands in a RESP frame, -1 while that is not known (or inline). */
  commandStart = -1;
  commandLength = 0;
  /** Set once, for good. */
  failure: FramingFailure | null = null;

  private readonly keepBytes: number;
  private chunk: Buffer = EMPTY;
  private at = 0;
  private chunkOffset = 0;
  /** Where the chunk ends. Not asked of the chunk again: its memory may have gone to another thread since. */
  private streamEnd = 0;
  /** Where the current frame starts in this chunk; 0 when it began in an earlier one. */
  private startInChunk = 0;
  /** The current frame's bytes from earlier chunks. */
  private kept: Buffer = EMPTY;
  private keptLength = 0;

  private state = START;
  private value = 0;
  private digits = 0;
  private negative = false;
  /** The state to go to after the byte that follows a CR. */
  private afterCr = START;
  private argumentsLeft = 0;
  private payloadLeft = 0;

  constructor(keepBytes: number, saved?: RequestFramerState) {
    this.keepBytes = keepBytes;
    if (saved !== undefined) this.goOn(saved);
  }

  /** Bytes taken in so far. */
  get streamOffset(): number {
    return this.streamEnd;
  }

  /** Is a frame begun and not whole? */
  get midFrame(): boolean {
    return this.state !== START;
  }

  /** The next bytes of the stream. Call `next` until it returns false before the next push. */
  push(chunk: Buffer): void {
    this.chunkOffset = this.streamEnd;
    this.streamEnd += chunk.length;
    this.chunk = chunk;
    this.at = 0;
    this.startInChunk = 0;
  }

  /** Moves to the next whole frame. False: there is none in what was pushed. */
  next(): boolean {
    if (this.failure !== null) return false;
    if (this.state === START) {
      this.beginFrame();
      if (this.at >= this.chunk.length) return false;
      if (this.wholeInChunk()) return true;
    }
    return this.resume();
  }

  /** Where the frame starts in the pushed chunk, or -1 where it began in an earlier one. Only after `next` returned true. */
  get startOfWhole(): number {
    return this.offset >= this.chunkOffset ? this.offset - this.chunkOffset : -1;
  }

  /** Offset in the stream of the first byte that belongs to no whole frame so far. */
  get unread(): number {
    return this.state === START ? this.chunkOffset + this.at : this.offset;
  }

  /** The frame's bytes, cut at the keep limit. May alias the pushed chunk. Only after `next` returned true. */
  bytes(): Buffer {
    const limit = Math.min(this.length, this.keepBytes);
    if (this.keptLength === 0) return this.chunk.subarray(this.startInChunk, this.startInChunk + limit);
    return this.kept.subarray(0, limit);
  }

  /** The bytes kept so far of a frame that is not whole, after `next` returned false. Aliases inner memory. */
  partialBytes(): Buffer {
    return this.kept.subarray(0, this.keptLength);
  }

  /** Lets go of the pushed chunk, after `next` returned false. */
  release(): void {
    this.chunk = EMPTY;
  }

  private beginFrame(): void {
    this.startInChunk = this.at;
    this.offset = this.chunkOffset + this.at;
    this.kept = EMPTY;
    this.keptLength = 0;
    this.inline = false;
    this.argumentCount = 0;
    this.commandStart = -1;
    this.commandLength = 0;
  }

  private endFrame(end: number): true {
    this.at = end;
    this.state = START;
    this.length = this.chunkOffset + end - this.offset;
    this.cut = this.length > this.keepBytes;
    if (this.keptLength > 0) this.keep(end);
    return true;
  }

  /** The fast path: a RESP frame that stands whole in the chunk. False: not whole, inline, empty or bad; `resume` tells. */
  private wholeInChunk(): boolean {
    const { chunk } = this;
    const size = chunk.length;
    let at = this.at;
    if (chunk[at] !== 42) return false;
    let left = 0;
    let commandStart = -1;
    let commandLength = 0;
    // One header a turn: first the count, then each bulk's length.
    for (let header = 0; ; header += 1) {
      at += 1;
      if (at + 2 >= size) return false;
      let byte = chunk[at]!;
      let value = byte - 48;
      if (value < 0 || value > 9) return false;
      byte = chunk[++at]!;
      while (byte !== 13) {
        const digit = byte - 48;
        if (digit < 0 || digit > 9 || value === 0) return false;
        value = value * 10 + digit;
        if (++at >= size) return false;
        byte = chunk[at]!;
      }
      at += 2;
      if (header === 0) {
        if (value === 0 || value > MAX_ARGUMENTS) return false;
        left = value;
        this.argumentCount = value;
      } else {
        if (value > MAX_BULK) return false;
        if (header === 1) {
          commandStart = at - this.startInChunk;
          commandLength = value;
        }
        at += value + 2;
        left -= 1;
      }
      if (at > size) return false;
      if (left === 0) break;
      if (at >= size || chunk[at] !== 36) return false;
    }
    this.commandStart = commandStart;
    this.commandLength = commandLength;
    return this.endFrame(at);
  }

  /** The slow path: one state after another, resumable at any byte. */
  private resume(): boolean {
    const { chunk } = this;
    const size = chunk.length;
    while (this.at < size) {
      switch (this.state) {
        case START:
          this.state = chunk[this.at] === 42 ? COUNT : INLINE;
          if (this.state === COUNT) {
            this.at += 1;
            this.beginNumber();
          } else {
            this.inline = true;
          }
          break;
        case COUNT:
        case BULK_LENGTH:
          if (this.readNumber()) {
            if (!(this.state === COUNT ? this.gotCount() : this.gotLength())) return false;
          } else if (this.failure !== null) {
            return false;
          }
          break;
        case AFTER_CR:
          this.at += 1;
          this.state = this.afterCr;
          if (this.state === START) return this.endFrame(this.at);
          if (this.state === PAYLOAD && this.commandStart < 0) {
            this.commandStart = this.chunkOffset + this.at - this.offset;
          }
          break;
        case BULK_START:
          if (chunk[this.at] !== 36) return this.fail(`expected '$' before an argument`);
          this.at += 1;
          this.state = BULK_LENGTH;
          this.beginNumber();
          break;
        case PAYLOAD: {
          const taken = Math.min(this.payloadLeft, size - this.at);
          this.at += taken;
          this.payloadLeft -= taken;
          if (this.payloadLeft > 0) break;
          this.argumentsLeft -= 1;
          if (this.argumentsLeft === 0) return this.endFrame(this.at);
          this.state = BULK_START;
          break;
        }
        default:
          return this.resumeInline();
      }
    }
    this.keep(size);
    return false;
  }

  private resumeInline(): boolean {
    const { chunk } = this;
    const newline = chunk.indexOf(10, this.at);
    const end = newline < 0 ? chunk.length : newline;
    // Redis looks for the line's end with strchr: a NUL hides it, and the connection is stuck.
    const nul = chunk.indexOf(0, this.at);
    if (nul >= 0 && nul < end) return this.fail('NUL byte in an inline command');
    if (this.chunkOffset + end - this.offset > MAX_INLINE)
      return this.fail('inline command is too long', true);
    this.at = end;
    if (newline < 0) {
      this.keep(end);
      return false;
    }
    this.keep(newline + 1);
    const words = splitInline(this.kept.subarray(0, this.keptLength));
    if (words === null) return this.fail('unbalanced quotes in an inline command');
    this.argumentCount = words.length;
    return this.endFrame(newline + 1);
  }

  private beginNumber(): void {
    this.value = 0;
    this.digits = 0;
    this.negative = false;
  }

  /** A header's number, as Redis' string2ll takes it: no sign but '-', no leading zero. True: read, its CR included. */
  private readNumber(): boolean {
    const { chunk } = this;
    while (this.at < chunk.length) {
      const byte = chunk[this.at]!;
      const digit = byte - 48;
      if (byte === 13 && this.digits > 0) {
        this.at += 1;
        return true;
      }
      if (digit >= 0 && digit <= 9) {
        const leadingZero = this.digits > 0 && this.value === 0;
        if (leadingZero || (this.negative && digit === 0 && this.digits === 0) || this.digits === 19) break;
        this.value = this.value * 10 + digit;
        this.digits += 1;
      } else if (byte === 45 && this.digits === 0 && !this.negative) {
        this.negative = true;
      } else {
        break;
      }
      this.at += 1;
    }
    if (this.at < chunk.length) {
      this.fail(this.state === COUNT ? 'invalid multibulk length' : 'invalid bulk length');
    }
    return false;
  }

  private gotCount(): boolean {
    if (!this.negative && this.value > MAX_ARGUMENTS) return this.fail('invalid multibulk length');
    const empty = this.negative || this.value === 0;
    this.argumentCount = empty ? 0 : this.value;
    this.argumentsLeft = this.argumentCount;
    this.state = AFTER_CR;
    this.afterCr = empty ? START : BULK_START;
    return true;
  }

  private gotLength(): boolean {
    if (this.negative) return this.fail('invalid bulk length');
    if (this.value > MAX_BULK) return this.fail('bulk is too long', true);
    if (this.argumentsLeft === this.argumentCount) this.commandLength = this.value;
    this.payloadLeft = this.value + 2;
    this.state = AFTER_CR;
    this.afterCr = PAYLOAD;
    return true;
  }

  private fail(reason: string, redisMayGoOn = false): false {
    this.failure = { offset: this.offset, reason, ...(redisMayGoOn && { redisMayGoOn }) };
    this.kept = EMPTY;
    this.keptLength = 0;
    return false;
  }

  /** Keeps the current frame's bytes of this chunk, up to `end`, as far as the limit goes. */
  private keep(end: number): void {
    // An inline command is kept whole until it can be split; `bytes` still cuts it.
    const limit = this.inline ? MAX_INLINE + 1 : this.keepBytes;
    const taken = Math.min(end - this.startInChunk, limit - this.keptLength);
    if (taken <= 0) return;
    const needed = this.keptLength + taken;
    if (needed > this.kept.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, Math.min(limit, this.kept.length * 2)));
      this.kept.copy(grown, 0, 0, this.keptLength);
      this.kept = grown;
    }
    this.chunk.copy(this.kept, this.keptLength, this.startInChunk, this.startInChunk + taken);
    this.keptLength = needed;
    this.startInChunk = end;
  }

  save(): RequestFramerState {
    return {
      streamOffset: this.streamOffset,
      failure: this.failure,
      state: this.state,
      offset: this.offset,
      kept: Buffer.from(this.partialBytes()),
      value: this.value,
      digits: this.digits,
      negative: this.negative,
      afterCr: this.afterCr,
      argumentsLeft: this.argumentsLeft,
      payloadLeft: this.payloadLeft,
      argumentCount: this.argumentCount,
      commandStart: this.commandStart,
      commandLength: this.commandLength,
    };
  }

  private goOn(state: RequestFramerState): void {
    this.chunkOffset = state.streamOffset;
    this.streamEnd = state.streamOffset;
    this.failure = state.failure;
    this.state = state.state;
    this.inline = state.state === INLINE;
    this.offset = state.offset;
    this.kept = Buffer.from(state.kept);
    this.keptLength = state.kept.length;
    this.value = state.value;
    this.digits = state.digits;
    this.negative = state.negative;
    this.afterCr = state.afterCr;
    this.argumentsLeft = state.argumentsLeft;
    this.payloadLeft = state.payloadLeft;
    this.argumentCount = state.argumentCount;
    this.commandStart = state.commandStart;
    this.commandLength = state.commandLength;
  }
}
