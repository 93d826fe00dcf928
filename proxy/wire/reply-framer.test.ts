import { deserialize, serialize } from 'node:v8';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeReplies, decodeReply } from './decode-reply.js';
import { MAX_DEPTH, ReplyFramer } from './reply-framer.js';
import { cutAt, everySplit } from './splits.js';

function read(chunks: readonly Buffer[], keepBytes = 4096, saving = false) {
  let framer = new ReplyFramer(keepBytes);
  const frames: {
    offset: number;
    length: number;
    bytes: string;
    cut: boolean;
    type: string;
    pushInside: boolean;
  }[] = [];
  for (const chunk of chunks) {
    framer.push(Buffer.from(chunk));
    while (framer.next()) {
      const { offset, length, cut, pushInside } = framer;
      const type = String.fromCharCode(framer.type);
      frames.push({ offset, length, bytes: framer.bytes().toString('latin1'), cut, type, pushInside });
    }
    if (saving) framer = new ReplyFramer(keepBytes, deserialize(serialize(framer.save())));
  }
  return { frames, failure: framer.failure, midFrame: framer.midFrame };
}

const cases: Record<string, readonly [bytes: string, types: string]> = {
  'simple strings': ['+OK\r\n+\r\n+a longer one, beyond what the fast path looks at\r\n', '+++'],
  errors: ['-ERR no\r\n!5\r\nERR a\r\n', '-!'],
  integers: [':0\r\n:-1\r\n:9223372036854775807\r\n', ':::'],
  bulks: ['$0\r\n\r\n$3\r\na\r\n\r\n$-1\r\n', '$$$'],
  arrays: ['*0\r\n*-1\r\n*2\r\n$1\r\na\r\n*1\r\n:1\r\n', '***'],
  'the rest of RESP3': [
    '_\r\n#t\r\n,1.5e3\r\n(123\r\n=7\r\ntxt:abc\r\n~1\r\n+a\r\n%1\r\n+k\r\n*0\r\n',
    '_#,(=~%',
  ],
  pushes: ['>2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n:1\r\n', '>:'],
  'an attribute belongs to what follows': [
    '|1\r\n+ttl\r\n:3\r\n*1\r\n|1\r\n+x\r\n+y\r\n:1\r\n|0\r\n+OK\r\n',
    '*+',
  ],
  'deep nesting': [`${'*1\r\n'.repeat(50)}:1\r\n:2\r\n`, '*:'],
};

describe('ReplyFramer', () => {
  for (const [name, [bytes, types]] of Object.entries(cases)) {
    it(`frames ${name}, however they are cut`, () => {
      const whole = read([Buffer.from(bytes)]);
      expect(whole.failure).toBeNull();
      expect(whole.midFrame).toBe(false);
      expect(whole.frames.map((frame) => frame.type).join('')).toBe(types);
      expect(whole.frames.map((frame) => frame.bytes).join('')).toBe(bytes);
      for (const chunks of everySplit(Buffer.from(bytes))) {
        expect(read(chunks)).toEqual(whole);
        expect(read(chunks, 4096, true)).toEqual(whole);
        expect(decodeReplies(Buffer.concat(chunks))).toHaveLength(types.length);
      }
    });
  }

  const refused: Record<string, readonly [bytes: string, offset: number]> = {
    'an unknown type': ['+OK\r\nX\r\n', 5],
    'a streamed string': ['$?\r\n;4\r\nabcd\r\n;0\r\n', 0],
    'a streamed array': ['*?\r\n:1\r\n.\r\n', 0],
    'a length that is none': ['$x\r\n', 0],
    'an empty length': ['$\r\n', 0],
    'a bulk below -1': ['$-2\r\n', 0],
    'a map below zero': ['%-1\r\n', 0],
    'a bulk that goes on': ['$1\r\nab\r\n', 0],
    'a CR alone': ['+a\rb\r\n', 0],
    'a null with something in it': ['_a\r\n', 0],
    'a boolean of two letters': ['#tt\r\n', 0],
    'an integer with letters': [':1a\r\n', 0],
    'too much nesting': ['*1\r\n'.repeat(MAX_DEPTH + 1), 0],
  };
  for (const [name, [bytes, offset]] of Object.entries(refused)) {
    it(`refuses ${name}, however it is cut`, () => {
      const whole = read([Buffer.from(bytes)]);
      expect(whole.failure).toMatchObject({ offset });
      const splits =
        bytes.length > 1000 ? everySplit(Buffer.from(bytes)).slice(0, 50) : everySplit(Buffer.from(bytes));
      for (const chunks of splits) expect(read(chunks)).toEqual(whole);
    });
  }

  it('tells a push that stands inside of a reply', () => {
    const { frames } = read([
      Buffer.from('*2\r\n:1\r\n>1\r\n+x\r\n>1\r\n+x\r\n|1\r\n+a\r\n+b\r\n>1\r\n+x\r\n'),
    ]);
    expect(frames.map((frame) => frame.pushInside)).toEqual([true, false, false]);
  });

  it('keeps no more of a long reply than it should', () => {
    const framer = new ReplyFramer(64);
    framer.push(Buffer.from('*2\r\n$1000000\r\n'));
    expect(framer.next()).toBe(false);
    framer.push(Buffer.alloc(999_999, 'x'));
    expect(framer.next()).toBe(false);
    framer.push(Buffer.from('x\r\n:1\r\n:2\r\n'));
    expect(framer.next()).toBe(true);
    expect(framer).toMatchObject({ cut: true, length: 1_000_020 });
    expect(framer.bytes().length).toBe(64);
    expect(framer.next()).toBe(true);
    expect(framer.bytes().toString()).toBe(':2\r\n');
  });

  const { reply } = fc.letrec<{ reply: string }>((tie) => ({
    reply: fc.oneof(
      { maxDepth: 4 },
      fc.stringMatching(/^[ -~]{0,40}$/).map((text) => `+${text}\r\n`),
      fc.stringMatching(/^[ -~]{0,40}$/).map((text) => `-${text}\r\n`),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => `:${value}\r\n`),
      fc.uint8Array({ maxLength: 50 }).map((bytes) => {
        return `$${bytes.length}\r\n${Buffer.from(bytes).toString('latin1')}\r\n`;
      }),
      fc.constantFrom(
        '$-1\r\n',
        '*-1\r\n',
        '_\r\n',
        '#t\r\n',
        '#f\r\n',
        ',inf\r\n',
        ',-1.25\r\n',
        '(77\r\n',
        '=5\r\nmkd:#\r\n',
      ),
      fc
        .tuple(fc.constantFrom('*', '~', '>'), fc.array(tie('reply'), { maxLength: 4 }))
        .map(([type, items]) => `${type}${items.length}\r\n${items.join('')}`),
      fc
        .array(fc.tuple(tie('reply'), tie('reply')), { maxLength: 3 })
        .map((entries) => `%${entries.length}\r\n${entries.flat().join('')}`),
      fc.tuple(tie('reply'), tie('reply'), tie('reply')).map((three) => `|1\r\n${three.join('')}`),
    ),
  }));

  it('frames any replies however they are cut, and each decodes (property)', () => {
    const property = fc.property(
      fc.array(reply, { minLength: 1, maxLength: 6 }),
      fc.array(fc.nat()),
      fc.integer({ min: 1, max: 300 }),
      (replies, places, keepBytes) => {
        const bytes = Buffer.from(replies.join(''), 'latin1');
        const { frames, failure, midFrame } = read(cutAt(bytes, places), keepBytes);
        expect(failure).toBeNull();
        expect(midFrame).toBe(false);
        expect(frames.map((frame) => frame.length)).toEqual(replies.map((each) => each.length));
        expect(frames.map((frame) => frame.bytes)).toEqual(replies.map((each) => each.slice(0, keepBytes)));
        for (const each of replies) decodeReply(Buffer.from(each, 'latin1'));
      },
    );
    fc.assert(property);
  });

  it('never throws, and says the same of garbage however it is cut (property)', () => {
    const token = fc.constantFrom(
      '*',
      '$',
      '%',
      '|',
      '>',
      '_',
      '+',
      ':',
      '-',
      '\r',
      '\n',
      '\r\n',
      '0',
      '1',
      '2',
      'a',
      '?',
    );
    const soup = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc.array(token, { maxLength: 60 }).map((tokens) => Buffer.from(tokens.join(''))),
      fc.tuple(reply, fc.nat(), fc.nat({ max: 255 })).map(([text, at, byte]) => {
        const bytes = Buffer.from(text, 'latin1');
        bytes[at % bytes.length] = byte;
        return bytes;
      }),
    );
    const property = fc.property(soup, fc.array(fc.nat()), (bytes, places) => {
      const whole = read([bytes]);
      expect(read(cutAt(bytes, places))).toEqual(whole);
      expect(read(cutAt(bytes, places), 4096, true)).toEqual(whole);
    });
    fc.assert(property, { numRuns: 500 });
  });
});
