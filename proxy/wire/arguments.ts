/**
 * Walks the arguments of one RESP request without decoding it. The bytes are a frame that RequestFramer let through,
 * whole or cut, so headers are taken as they stand; only the end of the bytes is watched.
 */

/** The number of a header whose first digit is at `at`, and where what follows the header begins. */
interface Header {
  value: number;
  next: number;
}

const header: Header = { value: 0, next: 0 };

/** Reads into the one `header` above (no allocation). False: cut before its end, or not a header. */
function readHeader(frame: Buffer, at: number): boolean {
  let value = 0;
  let index = at + 1;
  for (; index < frame.length; index += 1) {
    const byte = frame[index]!;
    if (byte === 13) {
      header.value = value;
      header.next = index + 2;
      return index > at + 1;
    }
    if (byte < 48 || byte > 57) return false;
    value = value * 10 + byte - 48;
  }
  return false;
}

/**
 * Every argument of a RESP request, the command's name first, aliasing `frame`. Where the frame was cut, the last one may
 * be short and those after it are missing.
 */
export function walkArguments(frame: Buffer): Buffer[] {
  if (!readHeader(frame, 0)) return [];
  const found: Buffer[] = [];
  for (let left = header.value; left > 0; left -= 1) {
    const at = header.next;
    if (frame[at] !== 36 || !readHeader(frame, at)) break;
    const { next, value } = header;
    if (next > frame.length) break;
    found.push(frame.subarray(next, next + value));
    header.next = next + value + 2;
  }
  return found;
}

/**
 * Arguments `first` to `last` (both included; 0 is the command's name) of a RESP request, aliasing `frame`, starting the walk at
 * `at`, the `$` of argument `first`. Only those that are whole.
 */
export function takeArguments(frame: Buffer, at: number, first: number, last: number): Buffer[] {
  const found: Buffer[] = [];
  header.next = at;
  for (let index = first; index <= last; index += 1) {
    if (frame[header.next] !== 36 || !readHeader(frame, header.next)) break;
    const { next, value } = header;
    if (next + value > frame.length) break;
    found.push(frame.subarray(next, next + value));
    header.next = next + value + 2;
  }
  return found;
}

/** Where the argument after `argument` begins (its `$`), both within `frame`. */
export function afterArgument(frame: Buffer, argument: Buffer): number {
  return argument.byteOffset - frame.byteOffset + argument.length + 2;
}
