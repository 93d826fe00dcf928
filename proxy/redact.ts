/**
 * What never reaches the disk: passwords in requests. A Redactor sees one connection's client bytes before anybody stores
 * them and gives them back with the secrets blanked, same offsets and same lengths.
 *
 * Nearly every chunk comes back as it is. What is held back is the start of a request whose command is not known yet, and a
 * request that may hold a secret until it is whole, for only then is it clear which arguments are secret. The first byte
 * of a request is never held: from it a reader sees in which chunk the request began. A request that is too long to be held has
 * everything after its command blanked.
 */
import { walkArguments } from './wire/arguments.js';
import { commandAt } from './wire/command.js';
import { splitInline } from './wire/inline.js';
import { MAX_INLINE, RequestFramer } from './wire/request-framer.js';
import { replyMayHoldSecret, secretArguments } from './wire/secrets.js';

export interface Redacted {
  /** Safe to store now; the next bytes of the stream, in order. The chunk itself where nothing had to be changed or held. */
  readonly bytes: Buffer;
  /** How many bytes of secrets were blanked in `bytes`. */
  readonly redactedBytes: number;
  /**
   * Set from the call on in which framing failed: bytes that are not given back, from `offset` of the client's stream on, after
   * `bytes`. They must be counted (a `dropped` record with `reason` and `fromClient: bytes`) and not kept.
   */
  readonly refused: { readonly offset: number; readonly bytes: number; readonly reason: string } | null;
  /** This call made `repliesWithheld` true. */
  readonly withholdReplies: boolean;
}

/** The longest request that is held; it is copied anew with each chunk that brings a part of it. */
const HOLD_LIMIT = MAX_INLINE + 2;
const ASTERISK = 42;
const DOLLAR = 36;
const EMPTY = Buffer.alloc(0);

/** What to blank, by offsets in the stream: all of it, or, where a blanker is given, the arguments that stand in it. */
interface Blank {
  readonly from: number;
  readonly to: number;
  readonly blanker: ArgumentBlanker | null;
}

export class Redactor {
  private readonly framer = new RequestFramer(HOLD_LIMIT);
  /** Set while a request that is too long to be held passes. */
  private blanker: ArgumentBlanker | null = null;
  private heldBytes: Buffer = EMPTY;
  /** Offset in the stream of the first byte that was not given back yet. */
  private givenBack = 0;
  private withheld = false;

  /** Bytes taken in and not yet given back. They come with a later call, or never if the connection ends before. */
  get held(): number {
    return this.heldBytes.length;
  }

  /**
   * A request was seen whose reply may hold a secret (`CONFIG GET requirepass`, `ACL GETUSER`): keep no byte from Redis on this
   * connection from then to its end; count them (a `dropped` record with reason `withheld`).
   */
  get repliesWithheld(): boolean {
    return this.withheld;
  }

  /** The next bytes from the client. `chunk` is neither changed nor kept. */
  push(chunk: Buffer): Redacted {
    const { framer } = this;
    const wasWithheld = this.withheld;
    const blanks: Blank[] = [];
    framer.push(chunk);
    while (framer.next()) this.wholeRequest(chunk, blanks);
    if (framer.failure?.redisMayGoOn) this.withheld = true;
    const { failure, streamOffset } = framer;
    const safeTo = failure === null ? this.partialRequest(blanks) : Math.max(failure.offset, this.givenBack);
    const { bytes, redactedBytes } = this.giveBack(chunk, safeTo, blanks);
    let refused: Redacted['refused'] = null;
    if (failure !== null) {
      refused = { offset: safeTo, bytes: streamOffset - safeTo, reason: 'unframed' };
      this.heldBytes = EMPTY;
      this.givenBack = streamOffset;
    }
    return { bytes, redactedBytes, refused, withholdReplies: this.withheld && !wasWithheld };
  }

  /** The connection ended: what is still held is never given back, only counted. */
  end(): { readonly offset: number; readonly bytes: number } | null {
    if (this.heldBytes.length === 0) return null;
    const { givenBack: offset, heldBytes } = this;
    this.heldBytes = EMPTY;
    return { offset, bytes: heldBytes.length };
  }

  /** The framer stands on a whole request. */
  private wholeRequest(chunk: Buffer, blanks: Blank[]): void {
    const { framer } = this;
    const end = framer.offset + framer.length;
    if (this.blanker !== null) {
      blanks.push({ from: this.givenBack, to: end, blanker: this.blanker });
      this.blanker = null;
      return;
    }
    if (framer.argumentCount === 0) return;
    const start = framer.startOfWhole;
    if (!framer.inline && start >= 0) {
      const first = start + framer.commandStart;
      if (!commandAt(chunk, first, framer.commandLength).sensitive) return;
    }
    const bytes = framer.bytes();
    const args = framer.inline ? wordsOf(bytes) : argumentsOf(bytes);
    const name = args[0]?.value ?? EMPTY;
    const command = commandAt(name, 0, name.length);
    if (!command.sensitive) return;
    if (framer.cut) {
      blanks.push({ from: this.afterCommand(), to: end, blanker: new ArgumentBlanker() });
      this.withheld ||= REPLIES_WITH_SECRETS.has(command.name);
      return;
    }
    const values = args.map((arg) => arg.value);
    for (const index of secretArguments(command.name, values)) {
      const arg = args[index];
      if (arg === undefined || arg.end === arg.start) continue;
      blanks.push({ from: framer.offset + arg.start, to: framer.offset + arg.end, blanker: null });
    }
    this.withheld ||= replyMayHoldSecret(command.name, values);
  }

  /** How far bytes may be given back, with a request begun and not whole at the end of the chunk. */
  private partialRequest(blanks: Blank[]): number {
    const { framer } = this;
    const end = framer.streamOffset;
    if (!framer.midFrame) return end;
    if (this.blanker === null) {
      if (!this.mayBeSensitive()) return end;
      const held = Math.max(framer.offset + 1, this.givenBack);
      if (framer.inline || end - framer.offset <= HOLD_LIMIT) return held;
      this.blanker = new ArgumentBlanker();
      const { name } = this.commandOfPartial();
      this.withheld ||= REPLIES_WITH_SECRETS.has(name);
      blanks.push({ from: this.afterCommand(), to: end, blanker: this.blanker });
    } else {
      blanks.push({ from: this.givenBack, to: end, blanker: this.blanker });
    }
    return end;
  }

  private mayBeSensitive(): boolean {
    const { framer } = this;
    if (framer.inline || framer.commandStart < 0) return true;
    if (framer.commandLength > LONGEST_SENSITIVE) return false;
    if (framer.partialBytes().length < framer.commandStart + framer.commandLength) return true;
    return this.commandOfPartial().sensitive;
  }

  private commandOfPartial() {
    const { framer } = this;
    return commandAt(framer.partialBytes(), framer.commandStart, framer.commandLength);
  }

  /** Offset in the stream of the header after the command's name. */
  private afterCommand(): number {
    const { framer } = this;
    return framer.offset + framer.commandStart + framer.commandLength + 2;
  }

  /** Gives back everything up to `to`, blanked, and holds the rest. */
  private giveBack(chunk: Buffer, to: number, blanks: readonly Blank[]) {
    if (this.heldBytes.length === 0 && blanks.length === 0) {
      const taken = to - this.givenBack;
      this.givenBack = to;
      if (taken === chunk.length) return { bytes: chunk, redactedBytes: 0 };
      this.heldBytes = Buffer.from(chunk.subarray(taken));
      return { bytes: chunk.subarray(0, taken), redactedBytes: 0 };
    }
    const base = this.givenBack;
    const bytes = Buffer.concat([this.heldBytes, chunk]);
    let redactedBytes = 0;
    for (const { from, to: end, blanker } of blanks) {
      const part = bytes.subarray(from - base, end - base);
      redactedBytes += blanker === null ? part.fill(ASTERISK).length : blanker.blank(part);
    }
    this.givenBack = to;
    this.heldBytes = Buffer.from(bytes.subarray(to - base));
    return { bytes: bytes.subarray(0, to - base), redactedBytes };
  }
}

/** `MIGRATE`, `SENTINEL`. */
const LONGEST_SENSITIVE = 8;

const REPLIES_WITH_SECRETS = new Set(['ACL', 'CONFIG', 'HELLO', 'SENTINEL']);

const wordsOf = (line: Buffer) => splitInline(line) ?? [];

/** The arguments of a RESP request and where they stand in its frame. */
function argumentsOf(frame: Buffer) {
  return walkArguments(frame).map((value) => {
    const start = value.byteOffset - frame.byteOffset;
    return { start, end: start + value.length, value };
  });
}

/** Blanks each argument of a request that comes in pieces, and leaves the headers alone. Starts at a header. */
class ArgumentBlanker {
  private inHeader = true;
  private digits = 0;
  /** Bytes of the argument still to come, the line end after it included. */
  private left = 0;
  /** The byte after a header's CR. */
  private afterCr = false;

  /** Blanks the next bytes in place; returns how many were secret. */
  blank(bytes: Buffer): number {
    let blanked = 0;
    for (let at = 0; at < bytes.length; ) {
      if (this.inHeader) {
        this.header(bytes[at]!);
        at += 1;
        continue;
      }
      const taken = Math.min(this.left, bytes.length - at);
      const secret = Math.max(0, Math.min(this.left - 2, taken));
      bytes.fill(ASTERISK, at, at + secret);
      blanked += secret;
      this.left -= taken;
      at += taken;
      if (this.left === 0) {
        this.inHeader = true;
        this.digits = 0;
      }
    }
    return blanked;
  }

  private header(byte: number): void {
    if (this.afterCr) {
      this.afterCr = false;
      this.inHeader = false;
      this.left = this.digits + 2;
    } else if (byte === 13) {
      this.afterCr = true;
    } else if (byte !== DOLLAR) {
      this.digits = this.digits * 10 + byte - 48;
    }
  }
}
