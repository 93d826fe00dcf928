/**
 * One request frame into its words. `redis-parser` does it for whole RESP frames; inline commands and
 * frames that were cut are split here, as redis-parser knows neither.
 */
import RedisParser from 'redis-parser';
import { walkArguments } from './arguments.js';
import { splitInline } from './inline.js';

let decoded: unknown = null;
const keep = (value: unknown) => {
  decoded = value;
};

function newParser(): RedisParser {
  return new RedisParser({
    returnReply: keep,
    returnError: keep,
    returnFatalError: () => {
      decoded = null;
    },
    returnBuffers: true,
    stringNumbers: true,
  });
}

let parser = newParser();

/** Null: not one whole array of bulks. Then the parser is replaced, as it may hold a part or stand misaligned. */
function parseWhole(frame: Buffer): Buffer[] | null {
  decoded = null;
  try {
    parser.execute(frame);
  } catch {
    decoded = null; // RangeError on `*4294967296`
  }
  const words = decoded;
  decoded = null;
  if (Array.isArray(words) && words.every((word) => Buffer.isBuffer(word))) return words;
  parser = newParser();
  return null;
}

/**
 * The arguments of a request, the command's name first; they alias `frame`. An empty request has none. A cut frame gives those
 * that are whole, and the last one short. Never throws: bytes that are no request give what could be read of them.
 */
export function decodeRequest(frame: Buffer, cut: boolean): Buffer[] {
  if (frame[0] !== 42) return splitInline(frame)?.map((word) => word.value) ?? [];
  return (cut ? null : parseWhole(frame)) ?? walkArguments(frame);
}
