import { deserialize, serialize } from 'node:v8';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_INLINE, RequestFramer } from './request-framer.js';
import { cutAt, everySplit, request } from './splits.js';

interface Frame {
  offset: number;
  length: number;
  bytes: string;
  cut: boolean;
  inline: boolean;
  argumentCount: number;
}

/** Frames as text, and the failure; with `saving`, the framer is saved and restored after each chunk. */
function read(chunks: readonly Buffer[], keepBytes = 1024, saving = false) {
  let framer = new RequestFramer(keepBytes);
  const frames: Frame[] = [];
  for (const chunk of chunks) {
    framer.push(Buffer.from(chunk));
    while (framer.next()) {
      const { offset, length, cut, inline, argumentCount } = framer;
      frames.push({ offset, length, bytes: framer.bytes().toString('latin1'), cut, inline, argumentCount });
    }
    if (saving) framer = new RequestFramer(keepBytes, deserialize(serialize(framer.save())));
  }
  return { frames, failure: framer.failure };
}

const cases: Record<
  string,
  { readonly bytes: string; readonly counts: readonly number[]; readonly inline?: boolean }
> = {
  'one request': { bytes: '*2\r\n$3\r\nGET\r\n$1\r\nk\r\n', counts: [2] },
  'a pipeline': {
    bytes: '*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n*1\r\n$4\r\nPING\r\n',
    counts: [1, 2, 1],
  },
  'an empty argument': { bytes: '*2\r\n$3\r\nGET\r\n$0\r\n\r\n', counts: [2] },
  'a line end in an argument': { bytes: '*2\r\n$3\r\nGET\r\n$4\r\n\r\n*1\r\n', counts: [2] },
  'an inline command, LF': { bytes: 'PING\n', counts: [1], inline: true },
  'an inline command, CRLF': { bytes: 'GET  k \r\n', counts: [2], inline: true },
  'inline with quotes': { bytes: `SET "a b" 'it\\'s' "\\x41\\n"\r\n`, counts: [4], inline: true },
  'inline among RESP': { bytes: 'PING\r\n*1\r\n$4\r\nPING\r\nPING\r\n', counts: [1, 1, 1] },
  'empty lines': { bytes: '\r\n\n  \r\n', counts: [0, 0, 0], inline: true },
  'empty arrays': { bytes: '*0\r\n*-1\r\n*-7\r\n', counts: [0, 0, 0] },
  // Redis does not look at the byte after a header's CR, nor at the two after a bulk.
  'careless line ends': { bytes: '*2\rX$3\rYGETzz$1\r\nkzz', counts: [2] },
};

describe('RequestFramer', () => {
  for (const [name, { bytes, counts, inline }] of Object.entries(cases)) {
    it(`frames ${name}, however it is cut`, () => {
      const whole = read([Buffer.from(bytes)]);
      expect(whole.failure).toBeNull();
      expect(whole.frames.map((frame) => frame.argumentCount)).toEqual(counts);
      expect(whole.frames.map((frame) => frame.bytes).join('')).toBe(bytes);
      if (inline !== undefined) expect(whole.frames.every((frame) => frame.inline)).toBe(inline);
      for (const chunks of everySplit(Buffer.from(bytes))) {
        expect(read(chunks)).toEqual(whole);
        expect(read(chunks, 1024, true)).toEqual(whole);
      }
    });
  }

  const refused: Record<string, readonly [bytes: string, offset: number, reason: RegExp]> = {
    'a count that is none': ['*1\r\n$4\r\nPING\r\n*x\r\n', 14, /multibulk/],
    'an empty count': ['*\r\n', 0, /multibulk/],
    'a leading zero': ['*01\r\n', 0, /multibulk/],
    'too many arguments': ['*2147483648\r\n', 0, /multibulk/],
    'a number beyond all bounds': ['*99999999999999999999999\r\n', 0, /multibulk/],
    'something else than a bulk': ['*1\r\n:4\r\n', 0, /expected/],
    'a bulk below zero': ['*1\r\n$-1\r\n', 0, /bulk length/],
    'a bulk too long': ['*1\r\n$536870913\r\n', 0, /too long/],
    'unbalanced quotes': ['GET "k\r\n', 0, /quotes/],
    'a quote in the midst': ['GET "k"k\r\n', 0, /quotes/],
    'a NUL in a line': ['PING\0\r\n', 0, /NUL/],
  };
  for (const [name, [bytes, offset, reason]] of Object.entries(refused)) {
    it(`refuses ${name}, however it is cut`, () => {
      const whole = read([Buffer.from(bytes)]);
      expect(whole.failure).toMatchObject({ offset, reason: expect.stringMatching(reason) });
      for (const chunks of everySplit(Buffer.from(bytes))) {
        expect(read(chunks)).toEqual(whole);
        expect(read(chunks, 1024, true)).toEqual(whole);
      }
    });
  }

  it('takes what Redis takes at the limits', () => {
    expect(read([Buffer.from('*2147483647\r\n$536870912\r\n')]).failure).toBeNull();
    expect(read([Buffer.alloc(MAX_INLINE, 'a'), Buffer.from('\r\n')]).failure).not.toBeNull();
    expect(read([Buffer.alloc(MAX_INLINE - 1, 'a'), Buffer.from('\r\n')]).frames).toHaveLength(1);
  });

  it('keeps no more of a long request than it should', () => {
    const framer = new RequestFramer(64);
    framer.push(Buffer.from('*2\r\n$3\r\nSET\r\n$1000000\r\n'));
    expect(framer.next()).toBe(false);
    framer.push(Buffer.alloc(500_000, 'x'));
    expect(framer.next()).toBe(false);
    expect(framer.save().kept.length).toBe(64);
    framer.push(Buffer.concat([Buffer.alloc(500_000, 'x'), Buffer.from('\r\n*1\r\n$4\r\nPING\r\n')]));
    expect(framer.next()).toBe(true);
    expect(framer).toMatchObject({
      cut: true,
      length: 1_000_025,
      argumentCount: 2,
      commandStart: 8,
      commandLength: 3,
    });
    expect(framer.bytes().length).toBe(64);
    expect(framer.next()).toBe(true);
    expect(framer.bytes().toString()).toBe('*1\r\n$4\r\nPING\r\n');
  });

  it('reads any requests however they are cut (property)', () => {
    const args = fc.array(fc.uint8Array({ maxLength: 80 }), { minLength: 1, maxLength: 6 });
    const property = fc.property(
      fc.array(args, { minLength: 1, maxLength: 8 }),
      fc.array(fc.nat()),
      fc.integer({ min: 1, max: 200 }),
      (requests, places, keepBytes) => {
        const frames = requests.map((words) => request(...words.map((word) => Buffer.from(word))));
        const { frames: found, failure } = read(cutAt(Buffer.concat(frames), places), keepBytes);
        expect(failure).toBeNull();
        expect(found.map((frame) => frame.length)).toEqual(frames.map((frame) => frame.length));
        expect(found.map((frame) => frame.bytes)).toEqual(
          frames.map((frame) => frame.subarray(0, keepBytes).toString('latin1')),
        );
      },
    );
    fc.assert(property);
  });

  it('never throws, and says the same of garbage however it is cut (property)', () => {
    const token = fc.constantFrom(
      '*',
      '$',
      '\r',
      '\n',
      '\r\n',
      '0',
      '1',
      '-',
      '3',
      'GET',
      '"',
      "'",
      '\\x4',
      ' ',
      '\0',
    );
    const soup = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc.array(token, { maxLength: 60 }).map((tokens) => Buffer.from(tokens.join(''))),
    );
    const property = fc.property(soup, fc.array(fc.nat()), (bytes, places) => {
      const whole = read([bytes]);
      expect(read(cutAt(bytes, places))).toEqual(whole);
      expect(read(cutAt(bytes, places), 1024, true)).toEqual(whole);
    });
    fc.assert(property, { numRuns: 500 });
  });
});
