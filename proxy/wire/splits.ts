/**
 * For tests: the same bytes in every way that a network may cut them. What reads a stream must not care.
 */

/** Whole, byte by byte, and in two at every boundary. */
export function everySplit(bytes: Buffer): Buffer[][] {
  const ways = [[bytes], [...bytes].map((byte) => Buffer.of(byte))];
  for (let at = 1; at < bytes.length; at += 1) ways.push([bytes.subarray(0, at), bytes.subarray(at)]);
  return ways;
}

/** Cut at the given places, which need not be in order or inside. */
export function cutAt(bytes: Buffer, places: readonly number[]): Buffer[] {
  const borders = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...borders].map((from, index) => bytes.subarray(from, borders[index] ?? bytes.length));
}

/** A RESP request. */
export function request(...args: readonly (string | Buffer)[]): Buffer {
  const parts = args.map((arg) => (typeof arg === 'string' ? Buffer.from(arg) : arg));
  const frames = parts.flatMap((part) => [Buffer.from(`$${part.length}\r\n`), part, Buffer.from('\r\n')]);
  return Buffer.concat([Buffer.from(`*${parts.length}\r\n`), ...frames]);
}
