import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { encode } from '@msgpack/msgpack';
import fc from 'fast-check';
import RedisParser from 'redis-parser';
import { describe, expect, it } from 'vitest';
import { decodeMember, encodeMember, RANDOM_BYTES, recipientsOf, recipientsSpan } from './message.js';

const random = Uint8Array.from({ length: RANDOM_BYTES }, (_, i) => i * 21);
const withBody = (body: Uint8Array) => Buffer.concat([random, body]);

describe('a member', () => {
  it('is 12 random bytes and the msgpack of the message', () => {
    const member = encodeMember({ type: 'chat_send', bytes_data: null }, random);
    expect(Buffer.from(member).toString('hex')).toBe(
      `${Buffer.from(random).toString('hex')}82a474797065a9636861745f73656e64aa62797465735f64617461c0`,
    );
    expect(decodeMember(member)).toEqual({ ok: true, message: { type: 'chat_send', bytes_data: null } });
  });

  it('refuses to be made with another number of random bytes', () => {
    expect(() => encodeMember({ type: 'x' }, new Uint8Array(11))).toThrow(RangeError);
  });

  it.each([
    ['empty', Buffer.alloc(0), /^0 bytes: shorter/],
    ['random bytes alone', Buffer.from(random), /^12 bytes: shorter/],
    ['a string', withBody(encode('hello')), /not a map/],
    ['an array', withBody(encode([1])), /not a map/],
    ['nil', withBody(encode(null)), /not a map/],
    ['a timestamp', withBody(encode(new Date(0))), /not a map/],
    ['bytes after the message', withBody(Buffer.concat([encode({ a: 1 }), Buffer.from([1])])), /not msgpack/],
    ['a message cut short', withBody(encode({ a: 'bcd' }).subarray(0, -1)), /not msgpack/],
    ['a key __proto__', withBody(Buffer.from(`\x81\xa9__proto__\x80`, 'latin1')), /__proto__/],
    ['a binary key', withBody(Buffer.from('81c4016101', 'hex')), /key/],
    ['a number as a key', withBody(Buffer.from('810102', 'hex')), /key/],
    ['an array that claims 2^32 - 1 items', withBody(Buffer.from('81a161ddffffffff', 'hex')), /array length/],
    ['a Fernet token', withBody(Buffer.from('gAAAAABlx0')), /not msgpack/],
  ])('is not: %s', (_, bytes, reason) => {
    expect(decodeMember(bytes)).toEqual({ ok: false, reason: expect.stringMatching(reason) });
  });

  it('keeps 64-bit integers exact', () => {
    const message = { small: 7, big: 2n ** 63n - 1n, negative: -(2n ** 63n), unsigned: 2n ** 64n - 1n };
    expect(decodeMember(encodeMember(message, random))).toEqual({ ok: true, message });
  });

  it('comes back as it was sent, whatever the message', () => {
    // -0 and bytes of another view type compare as different though nothing is lost; both are left out.
    const leaf = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.integer(),
      fc.double({ noNaN: true }).filter((n) => !Object.is(n, -0)),
      fc.boolean(),
      fc.constant(null),
      fc.uint8Array(),
    );
    const { message } = fc.letrec((tie) => ({
      value: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie('value')), tie('message')),
      message: fc
        .dictionary(
          fc.string().filter((key) => key !== '__proto__'),
          tie('value'),
          { noNullPrototype: true },
        )
        .map((map) => map as Record<string, unknown>),
    }));
    fc.assert(
      fc.property(message, fc.uint8Array({ minLength: 12, maxLength: 12 }), (sent, start) => {
        const member = encodeMember(sent, start);
        expect(member.subarray(0, 12)).toEqual(start);
        expect(decodeMember(member)).toEqual({ ok: true, message: sent });
      }),
    );
  });

  it('is decoded or refused with a reason, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const decoded = decodeMember(bytes);
        if (!decoded.ok) expect(decoded.reason).not.toBe('');
        else expect(Object.getPrototypeOf(decoded.message)).toBe(Object.prototype);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the recipients of a message', () => {
  it.each([
    ['one, by send', { __asgi_channel__: 'specific.a!b' }, ['specific.a!b']],
    ['several, by group_send', { __asgi_channel__: ['specific.a!b', 'x!y'] }, ['specific.a!b', 'x!y']],
    ['none: a general channel', { type: 'x' }, null],
    ['not strings', { __asgi_channel__: [1] }, null],
    ['not a list', { __asgi_channel__: { a: 1 } }, null],
  ])('%s', (_, message, recipients) => {
    expect(recipientsOf(message)).toEqual(recipients);
  });

  const written = (member: Buffer) => {
    const span = recipientsSpan(member);
    return span && member.subarray(...span);
  };

  it('are found where they are written, before they are decoded', () => {
    const member = encodeMember(
      { type: 'x', __asgi_channel__: ['a!b', 'é'.repeat(40)], text: 'a!b' },
      random,
    );
    expect(written(Buffer.from(member))?.toString('latin1')).toBe(`\xa3a!b\xd9\x50${'\xc3\xa9'.repeat(40)}`);
  });

  it.each([
    ['binary', encode({ __asgi_channel__: [Buffer.from('a!b')] })],
    ['text, then binary', encode({ __asgi_channel__: ['a!b', Buffer.alloc(40)] })],
    ['a list of none', encode({ __asgi_channel__: [] })],
    ['lists of names', encode({ __asgi_channel__: [['a!b']] })],
    ['written longer than need be', Buffer.from('\x81\xb0__asgi_channel__\x91\xd9\x03a!b', 'latin1')],
    ['not msgpack', Buffer.from('gAAAAABlx0')],
    ['nothing', Buffer.alloc(0)],
  ])('take decoding to know: %s', (_, body) => {
    expect(recipientsSpan(withBody(body))).toBeNull();
  });

  it('are the same where the same is written, whatever else the message says', () => {
    const name = fc.oneof(fc.string({ maxLength: 40 }), fc.string({ unit: 'grapheme', maxLength: 200 }));
    const item = fc.oneof({ weight: 20, arbitrary: name }, fc.uint8Array({ maxLength: 40 }), fc.integer());
    const others = fc.dictionary(fc.string({ minLength: 1, maxLength: 3 }), fc.oneof(name, fc.array(item)));
    fc.assert(
      fc.property(others, fc.oneof(fc.array(item), name), others, (before, to, after) => {
        const member = withBody(encode({ ...before, __asgi_channel__: to, ...after }));
        const decoded = decodeMember(member);
        const recipients = decoded.ok ? recipientsOf(decoded.message) : null;
        const plain =
          Array.isArray(to) && to.length > 0 && recipients?.every((one) => Buffer.byteLength(one) < 256);
        expect(written(member)).toEqual(
          plain ? Buffer.concat((recipients ?? []).map((one) => encode(one))) : null,
        );
      }),
    );
  });
});

describe.each(['resp2', 'v5', 'resp3', 'shield', 'desync'])('capture %s', (name) => {
  it('has only members that are read, and written again with the same bytes', () => {
    const members = membersEnqueuedIn(name);
    expect(members.length).toBeGreaterThan(900);
    for (const bytes of members) {
      const decoded = decodeMember(bytes);
      if (!decoded.ok) throw new Error(`${decoded.reason}: ${bytes.toString('latin1')}`);
      if (decoded.message.type !== 'chat_send' || typeof decoded.message.text_data !== 'string')
        throw new Error(`not a message of the chat server: ${bytes.toString('latin1')}`);
      expect(recipientsOf(decoded.message)?.length).toBeGreaterThan(0);
      const again = encodeMember(decoded.message, bytes.subarray(0, RANDOM_BYTES));
      if (!bytes.equals(again))
        throw new Error(`${bytes.toString('hex')} became ${Buffer.from(again).toString('hex')}`);
    }
  });
});

/** The members in the ARGV of each group_send script: EVAL script n KEY1..n MEMBER1..n capacities now expiry. */
function membersEnqueuedIn(name: string): Buffer[] {
  const lines = gunzipSync(readFileSync(new URL(`../../examples/${name}.capture.jsonl.gz`, import.meta.url)));
  const streams = new Map<number, Buffer[]>();
  for (const line of lines.toString().trimEnd().split('\n')) {
    const record = JSON.parse(line) as { conn: number; ev?: string; from?: string; b64: string };
    if (record.ev !== 'data' || record.from !== 'client') continue;
    const chunks = streams.get(record.conn) ?? [];
    streams.set(record.conn, chunks);
    chunks.push(Buffer.from(record.b64, 'base64'));
  }
  const members: Buffer[] = [];
  for (const chunks of streams.values()) {
    const parser = new RedisParser({
      returnBuffers: true,
      returnReply(request: Buffer[]) {
        const queues = Number(request[2]);
        if (request[0]?.toString() === 'EVAL' && queues > 0)
          members.push(...request.slice(3 + queues, 3 + 2 * queues));
      },
      returnError(error: Error) {
        throw error;
      },
    });
    parser.execute(Buffer.concat(chunks));
  }
  return members;
}
