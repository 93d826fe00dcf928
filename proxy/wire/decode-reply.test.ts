import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeReplies, decodeReply, UndecodableReply } from './decode-reply.js';
import type { Reply } from './reply.js';

const cases: readonly (readonly [bytes: string, reply: Reply])[] = [
  ['+OK\r\n', { kind: 'simple', text: 'OK' }],
  ['-ERR no\r\n', { kind: 'error', text: 'ERR no' }],
  ['!6\r\nERR\r\nx\r\n', { kind: 'error', text: 'ERR\r\nx' }],
  [':9223372036854775807\r\n', { kind: 'integer', value: 9223372036854775807n }],
  ['$2\r\nOK\r\n', { kind: 'bulk', bytes: Buffer.from('OK') }],
  ['$0\r\n\r\n', { kind: 'bulk', bytes: Buffer.alloc(0) }],
  ['$-1\r\n', { kind: 'null', form: 'bulk' }],
  ['*-1\r\n', { kind: 'null', form: 'array' }],
  ['_\r\n', { kind: 'null', form: 'resp3' }],
  ['*0\r\n', { kind: 'array', items: [] }],
  ['~1\r\n#t\r\n', { kind: 'set', items: [{ kind: 'boolean', value: true }] }],
  ['>1\r\n#f\r\n', { kind: 'push', items: [{ kind: 'boolean', value: false }] }],
  [
    '%1\r\n+a\r\n:1\r\n',
    {
      kind: 'map',
      entries: [
        [
          { kind: 'simple', text: 'a' },
          { kind: 'integer', value: 1n },
        ],
      ],
    },
  ],
  [',1.50\r\n', { kind: 'double', value: 1.5, text: '1.50' }],
  [',-inf\r\n', { kind: 'double', value: Number.NEGATIVE_INFINITY, text: '-inf' }],
  [',nan\r\n', { kind: 'double', value: Number.NaN, text: 'nan' }],
  [
    '(3492890328409238509324850943850943825024385\r\n',
    { kind: 'big-number', digits: '3492890328409238509324850943850943825024385' },
  ],
  ['=7\r\ntxt:abc\r\n', { kind: 'verbatim', format: 'txt', bytes: Buffer.from('abc') }],
  [
    '|1\r\n+ttl\r\n:3\r\n*1\r\n|1\r\n+x\r\n+y\r\n:1\r\n',
    { kind: 'array', items: [{ kind: 'integer', value: 1n }] },
  ],
];

describe('decodeReply', () => {
  it.each(cases)('decodes %j', (bytes, reply) => {
    expect(decodeReply(Buffer.from(bytes))).toEqual(reply);
  });

  it('decodes several, one after the other', () => {
    const bytes = Buffer.from(cases.map(([each]) => each).join(''));
    expect(decodeReplies(bytes)).toEqual(cases.map(([, reply]) => reply));
    expect(decodeReplies(Buffer.alloc(0))).toEqual([]);
  });

  const bad = [
    '',
    '+OK',
    '+OK\r\n+OK\r\n',
    '$5\r\nab\r\n',
    '$2\r\nabc\r\n',
    ':\r\n',
    ':1.5\r\n',
    '*2\r\n:1\r\n',
    '#x\r\n',
    '_x\r\n',
    ',x\r\n',
  ];
  const worse = [
    '*4294967296\r\n',
    '$-2\r\n',
    '%-1\r\n',
    '=3\r\nabc\r\n',
    '=4\r\nabcd\r\n',
    '|1\r\n+a\r\n',
    '?\r\n',
    '(\r\n',
    '$?\r\n',
    ',__proto__\r\n',
    ',toString\r\n',
  ];
  it.each([...bad, ...worse])('refuses %j', (bytes) => {
    expect(() => decodeReply(Buffer.from(bytes))).toThrow(UndecodableReply);
  });

  it('refuses to nest without end', () => {
    expect(() => decodeReply(Buffer.from('*1\r\n'.repeat(100_000)))).toThrow(UndecodableReply);
    expect(() => decodeReply(Buffer.from('|1\r\n'.repeat(100_000)))).toThrow(UndecodableReply);
  });

  it('gives a value or UndecodableReply for any bytes (property)', () => {
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
      '\r\n',
      '0',
      '1',
      '2',
      'a',
      '?',
      '#t',
      ',1',
    );
    const soup = fc.oneof(
      fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
      fc.array(token, { maxLength: 40 }).map((tokens) => Buffer.from(tokens.join(''))),
    );
    const property = fc.property(soup, (bytes) => {
      try {
        decodeReplies(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(UndecodableReply);
      }
    });
    fc.assert(property, { numRuns: 1000 });
  });
});
