/**
 * Inline commands: a line of words, as typed into telnet, instead of a RESP array. Words are split as Redis' sdssplitargs does
 * (sds.c, Redis 7.0): blanks separate, "…" knows \n \r \t \b \a \xHH and \<any>, '…' knows \' only, and
 * a closing quote must be followed by a blank or the end.
 */

/** A word of an inline command: where it stands in the line, quotes included, and what it means. */
export interface InlineWord {
  readonly start: number;
  readonly end: number;
  readonly value: Buffer;
}

const TAB = 9;
const LF = 10;
const CR = 13;
const SPACE = 32;
const DOUBLE = 34;
const SINGLE = 39;
const BACKSLASH = 92;

/** C's isspace: what may stand between words and after a closing quote. */
const isBlank = (byte: number) => byte === SPACE || (byte >= TAB && byte <= CR);

/** What ends a word that is not quoted: fewer bytes than isspace (vertical tab and form feed belong to the word). */
const endsWord = (byte: number) => byte === SPACE || byte === LF || byte === CR || byte === TAB;

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

const ESCAPES: Readonly<Record<number, number>> = { 110: 10, 114: 13, 116: 9, 98: 8, 97: 7 };

/** Reads one word from `at`; returns where it ends, or -1 where quotes are unbalanced. Its bytes are appended to `out`. */
function readWord(line: Buffer, at: number, out: number[]): number {
  let quote = 0;
  while (at < line.length) {
    const byte = line[at]!;
    if (quote === 0) {
      if (endsWord(byte)) return at;
      if (byte === DOUBLE || byte === SINGLE) quote = byte;
      else out.push(byte);
      at += 1;
    } else if (byte === quote) {
      const next = line[at + 1];
      return next === undefined || isBlank(next) ? at + 1 : -1;
    } else if (byte === BACKSLASH && quote === DOUBLE && at + 1 < line.length) {
      at += readEscape(line, at, out);
    } else if (byte === BACKSLASH && quote === SINGLE && line[at + 1] === SINGLE) {
      out.push(SINGLE);
      at += 2;
    } else {
      out.push(byte);
      at += 1;
    }
  }
  return quote === 0 ? at : -1;
}

/** Reads the escape at `at` and returns its length. */
function readEscape(line: Buffer, at: number, out: number[]): number {
  const high = hexDigit(line[at + 2]);
  const low = hexDigit(line[at + 3]);
  if (line[at + 1] === 120 && high >= 0 && low >= 0) {
    out.push(high * 16 + low);
    return 4;
  }
  const byte = line[at + 1]!;
  out.push(ESCAPES[byte] ?? byte);
  return 2;
}

/** The words of a line (with or without its line end), or null where its quotes are unbalanced. */
export function splitInline(line: Buffer): InlineWord[] | null {
  const words: InlineWord[] = [];
  let at = 0;
  for (;;) {
    while (at < line.length && isBlank(line[at]!)) at += 1;
    if (at >= line.length) return words;
    const bytes: number[] = [];
    const end = readWord(line, at, bytes);
    if (end < 0) return null;
    words.push({ start: at, end, value: Buffer.from(bytes) });
    at = end;
  }
}
