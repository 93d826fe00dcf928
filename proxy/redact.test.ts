import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Redactor } from './redact.js';
import { RequestFramer } from './wire/request-framer.js';
import { cutAt, everySplit, request } from './wire/splits.js';

/** What would be stored of these chunks, and what the redactor said. */
function redact(chunks: readonly Buffer[]) {
  const redactor = new Redactor();
  const stored: Buffer[] = [];
  let redactedBytes = 0;
  let refusedBytes = 0;
  let withheldAt = -1;
  let fed = 0;
  for (const chunk of chunks) {
    const before = Buffer.from(chunk);
    const result = redactor.push(chunk);
    fed += chunk.length;
    expect(chunk.equals(before)).toBe(true);
    stored.push(Buffer.from(result.bytes));
    redactedBytes += result.redactedBytes;
    if (result.refused !== null) {
      refusedBytes += result.refused.bytes;
      expect(result.refused.offset + result.refused.bytes).toBe(fed);
    }
    if (result.withholdReplies) withheldAt = fed;
    expect(Buffer.concat(stored).length + refusedBytes + redactor.held).toBe(fed);
  }
  const { held, repliesWithheld } = redactor;
  return {
    text: Buffer.concat(stored).toString('latin1'),
    redactedBytes,
    refusedBytes,
    held,
    repliesWithheld,
    withheldAt,
  };
}

const resp = (line: string) => request(...line.split(' '));
const S = 'hunter2!';
const X = '*'.repeat(S.length);

const cases: Record<string, readonly [bytes: Buffer, stored: string]> = {
  AUTH: [resp(`AUTH ${S}`), resp(`AUTH ${X}`).toString()],
  'AUTH in a pipeline': [
    Buffer.concat([resp('GET k'), resp(`auth me ${S}`), resp('GET k')]),
    Buffer.concat([resp('GET k'), resp(`auth ** ${X}`), resp('GET k')]).toString(),
  ],
  HELLO: [resp(`HELLO 3 AUTH me ${S} SETNAME me`), resp(`HELLO 3 AUTH ** ${X} SETNAME me`).toString()],
  'ACL SETUSER': [resp(`ACL SETUSER bob >${S}`), resp(`ACL SETUSER bob *${X}`).toString()],
  'CONFIG SET': [
    resp(`CONFIG SET save x requirepass ${S}`),
    resp(`CONFIG SET save x requirepass ${X}`).toString(),
  ],
  MIGRATE: [
    resp(`MIGRATE h 1 k 0 9 AUTH2 me ${S} KEYS a`),
    resp(`MIGRATE h 1 k 0 9 AUTH2 ** ${X} KEYS a`).toString(),
  ],
  SENTINEL: [resp(`SENTINEL SET m auth-pass ${S}`), resp(`SENTINEL SET m auth-pass ${X}`).toString()],
  'inline AUTH': [Buffer.from(`AUTH ${S}\r\nPING\r\n`), `AUTH ${X}\r\nPING\r\n`],
  'inline, with quotes in the name and around the secret': [
    Buffer.from(`AU"TH" "${S} x"\n *0\r\n`),
    `AU"TH" ${X}****\n *0\r\n`,
  ],
  'inline, escaped': [Buffer.from(`"\\x41UTH" '${S}'\r\n`), `"\\x41UTH" ${X}**\r\n`],
  'careless line ends': [Buffer.from(`*2\rX$4\rYAUTHzz$8\r\n${S}zz`), `*2\rX$4\rYAUTHzz$8\r\n${X}zz`],
  'commands that are none of these': [resp(`SET auth ${S}`), resp(`SET auth ${S}`).toString()],
};

describe('Redactor', () => {
  for (const [name, [bytes, stored]] of Object.entries(cases)) {
    it(`stores ${name} without its secret, however it is cut`, () => {
      const secret = !name.startsWith('commands that are none');
      for (const chunks of everySplit(bytes)) {
        const result = redact(chunks);
        expect(result.text).toBe(stored);
        expect(result.held).toBe(0);
        expect(result.refusedBytes).toBe(0);
        expect(result.redactedBytes > 0).toBe(secret);
      }
    });
  }

  it('gives a chunk without secrets back as it is, also one that ends in the middle of a long request', () => {
    const redactor = new Redactor();
    const pipeline = Buffer.concat([resp('SET k v'), Buffer.from('PING\r\n'), resp('GET k')]);
    expect(redactor.push(pipeline).bytes).toBe(pipeline);
    const start = Buffer.from('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n0123');
    expect(redactor.push(start).bytes).toBe(start);
    const middle = Buffer.alloc(60_000, 'x');
    expect(redactor.push(middle).bytes).toBe(middle);
  });

  it('never holds the first byte of a request, so that it is seen in which chunk the request began', () => {
    const redactor = new Redactor();
    const { bytes } = redactor.push(Buffer.concat([resp('PING'), resp('GET k').subarray(0, 6)]));
    expect(bytes.toString()).toBe(`${resp('PING')}*`);
    expect(redactor.held).toBe(5);
  });

  it('gives back what it held when the command turns out harmless', () => {
    const redactor = new Redactor();
    const chunk = resp('SET key value');
    redactor.push(chunk.subarray(0, 9));
    expect(redactor.held).toBe(8);
    expect(redactor.push(chunk.subarray(9, 14)).bytes.toString()).toBe(chunk.toString().slice(1, 14));
    expect(redactor.held).toBe(0);
  });

  it('blanks all arguments of a request that is too long to be held', () => {
    const long = 'y'.repeat(70_000);
    const bytes = Buffer.concat([request('MIGRATE', 'h', '1', long, '0', '9', 'AUTH', S), resp('PING')]);
    const blanked = request('MIGRATE', '*', '*', '*'.repeat(70_000), '*', '*', '****', X);
    const stored = Buffer.concat([blanked, resp('PING')]).toString();
    for (const places of [
      [],
      [10, 40],
      [30_000, 69_000],
      [69_990, 70_020, 70_050],
      [65_500, 70_045, 70_046, 70_047],
    ]) {
      const result = redact(cutAt(bytes, places));
      expect(result.text === stored).toBe(true);
      expect(result.redactedBytes).toBe(1 + 1 + 70_000 + 1 + 1 + 4 + S.length);
    }
  });

  it('gives back nothing from a place on that it cannot frame', () => {
    const redactor = new Redactor();
    const first = redactor.push(Buffer.concat([resp('PING'), Buffer.from(`*2\r\n$4\r\nAUTH\r\n:${S}`)]));
    expect(first.bytes.toString()).toBe(resp('PING').toString());
    expect(first.refused).toEqual({ offset: 14, bytes: 15 + S.length, reason: 'unframed' });
    expect(redactor.push(resp(`AUTH ${S}`))).toMatchObject({
      refused: { offset: 29 + S.length, reason: 'unframed' },
    });
    expect(redactor.held).toBe(0);
  });

  it('withholds replies where a Redis with other limits would go on after what is refused here', () => {
    expect(redact([Buffer.from('*3\r\n$6\r\nCONFIG\r\n$600000000\r\n')]).repliesWithheld).toBe(true);
    expect(redact([Buffer.from('*1\r\n:4\r\n')]).repliesWithheld).toBe(false);
  });

  it('counts what it still holds at the end, and drops it', () => {
    const redactor = new Redactor();
    redactor.push(resp(`AUTH ${S}`).subarray(0, 20));
    expect(redactor.end()).toEqual({ offset: 1, bytes: 19 });
    expect(redactor.end()).toBeNull();
  });

  it('says when a reply may bring a secret back, with the last byte of the request', () => {
    for (const line of ['CONFIG GET requirepass', 'config get *', 'ACL GETUSER me', 'ACL LIST']) {
      for (const chunks of everySplit(Buffer.concat([resp('PING'), resp(line)]))) {
        const result = redact(chunks);
        expect(result.repliesWithheld).toBe(true);
        expect(result.withheldAt).toBe(result.text.length);
      }
    }
    expect(redact([Buffer.from('CONFIG GET *\r\n')]).repliesWithheld).toBe(true);
  });

  it('lets redis-benchmark ask for its settings', () => {
    const bytes = Buffer.concat([resp('CONFIG GET save'), resp('CONFIG GET appendonly')]);
    for (const chunks of everySplit(bytes)) {
      const result = redact(chunks);
      expect(result.repliesWithheld).toBe(false);
      expect(result.text).toBe(bytes.toString());
    }
  });

  it('never lets a secret through, and keeps offsets and frames as they are (property)', () => {
    const secret = fc.stringMatching(/^[a-z]{12}$/).map((word) => `S3cr3t-${word}`);
    const upper = fc.boolean();
    const spelt = (word: string, isUpper: boolean) => (isUpper ? word : word.toLowerCase());
    const secretRequest = fc
      .tuple(fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 8), upper, secret)
      .map(([kind, up, word]) => {
        const lines = [
          `AUTH ${word}`,
          `AUTH user ${word}`,
          `HELLO 3 SETNAME x AUTH user ${word}`,
          `ACL SETUSER bob on >${word} ~*`,
          `CONFIG SET save 1 MASTERAUTH ${word}`,
          `MIGRATE h 1 k 0 9 COPY AUTH ${word}`,
          `SENTINEL SET m auth-pass ${word}`,
          `CONFIG SET requirepass ${word} more`,
          `HELLO AUTH ${word}`,
        ];
        const [name = '', ...rest] = (lines[kind] ?? '').split(' ');
        return [spelt(name, up), ...rest];
      });
    const harmless = fc.array(fc.stringMatching(/^[a-zA-Z0-9*$]{1,20}$/), { minLength: 1, maxLength: 4 });
    const one = fc.oneof(
      harmless.map((words) => ({ words, isSecret: false })),
      secretRequest.map((words) => ({ words, isSecret: true })),
    );
    const framed = fc.tuple(one, fc.boolean()).map(([{ words, isSecret }, inline]) => {
      const bytes =
        inline && !words[0]?.startsWith('*') ? Buffer.from(`${words.join(' ')}\r\n`) : request(...words);
      return { bytes, isSecret };
    });
    const property = fc.property(
      fc.array(framed, { minLength: 1, maxLength: 8 }),
      fc.array(fc.nat(), { maxLength: 12 }),
      (frames, places) => {
        const bytes = Buffer.concat(frames.map((frame) => frame.bytes));
        const result = redact(cutAt(bytes, places));
        expect(result.held).toBe(0);
        expect(result.text.length).toBe(bytes.length);
        expect(result.text).not.toContain('S3cr3t');
        let at = 0;
        for (const frame of frames) {
          const stored = result.text.slice(at, at + frame.bytes.length);
          if (
            !frame.isSecret &&
            !/^(auth|hello|acl|config|migrate|sentinel|module)/i.test(frame.bytes.toString())
          ) {
            expect(stored).toBe(frame.bytes.toString());
          }
          at += frame.bytes.length;
        }
        expect(borders(Buffer.from(result.text, 'latin1'))).toEqual(borders(bytes));
      },
    );
    fc.assert(property, { numRuns: 500 });
  });

  it('never throws, and accounts for every byte of garbage (property)', () => {
    const token = fc.constantFrom(
      '*2\r\n',
      '$4\r\nAUTH\r\n',
      '$',
      '\r\n',
      '1',
      'AUTH ',
      '"',
      'CONFIG',
      ' ',
      '\0',
      '*',
    );
    const soup = fc.array(token, { maxLength: 30 }).map((tokens) => Buffer.from(tokens.join('')));
    const property = fc.property(soup, fc.array(fc.nat()), (bytes, places) => {
      redact(cutAt(bytes, places)); // which checks that stored + refused + held = fed, after each chunk
    });
    fc.assert(property, { numRuns: 1000 });
  });
});

/** Where the requests of a stream begin. */
function borders(bytes: Buffer): number[] {
  const framer = new RequestFramer(1024);
  framer.push(bytes);
  const found: number[] = [];
  while (framer.next()) found.push(framer.offset, framer.argumentCount);
  return found;
}
