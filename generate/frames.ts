/**
 * The bytes of a channel layer, put together from pieces that were made before: what a generator says millions of times it should not
 * encode each time. server/layers/message.ts says what a member is; a test holds the two against each other.
 */

/** A bulk string of RESP. */
export function bulk(content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content as Uint8Array);
  return Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, CRLF]);
}

/** A request. */
export function request(...words: readonly (string | Uint8Array)[]): Buffer<ArrayBuffer> {
  return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...words.map(bulk)]);
}

/** A request that says a second: it is made anew when that has passed. */
export class SecondsFrame {
  #second = -1;
  #frame = Buffer.alloc(0);

  constructor(private readonly make: (second: number) => Buffer<ArrayBuffer>) {}

  at(second: number): Buffer {
    if (this.#second !== second) {
      this.#frame = this.make(second);
      this.#second = second;
    }
    return this.#frame;
  }
}

export const CRLF = Buffer.from('\r\n');
export const OK = Buffer.from('+OK\r\n');
export const NIL = Buffer.from('$-1\r\n');
export const NIL_ARRAY = Buffer.from('*-1\r\n');
const INTEGERS = Array.from({ length: 1000 }, (_, n) => Buffer.from(`:${n}\r\n`));

export function integer(n: number): Buffer {
  return INTEGERS[n] ?? Buffer.from(`:${n}\r\n`);
}

/** The reply to `names` in an array. */
export function arrayOf(names: readonly string[]): Buffer {
  return Buffer.concat([Buffer.from(`*${names.length}\r\n`), ...names.map(bulk)]);
}

const shortText = (text: string): Buffer =>
  Buffer.concat([Buffer.of(0xa0 | text.length), Buffer.from(text, 'latin1')]);
const text = (value: string): Buffer =>
  value.length < 32
    ? shortText(value)
    : Buffer.concat([Buffer.of(0xd9, value.length), Buffer.from(value, 'latin1')]);

/** The first part of a member's msgpack: a map of five, up to the text. */
const BEFORE_TEXT = Buffer.concat([
  Buffer.of(0x85),
  shortText('type'),
  shortText('chat_send'),
  shortText('text_data'),
]);

/** What lies between a member's text and its recipients: the same for all that one sender says. */
export function senderPart(channel: string): Buffer {
  return Buffer.concat([
    shortText('bytes_data'),
    Buffer.of(0xc0),
    shortText('sender_channel_name'),
    text(channel),
    shortText('__asgi_channel__'),
  ]);
}

/** The end of a member: whom it is for. */
export function recipientsPart(channels: readonly string[]): Buffer {
  const { length } = channels;
  const head = length < 16 ? Buffer.of(0x90 | length) : Buffer.of(0xdc, length >> 8, length & 0xff);
  return Buffer.concat([head, ...channels.map(text)]);
}

const RANDOM_BYTES = 12;

/**
 * A member, as a bulk string. `said`: 32 to 255 characters of ASCII. The member itself is what lies between the first line and the
 * last CRLF; `memberIn` gives it.
 */
export function memberBulk(random: () => number, said: string, sender: Buffer, recipients: Buffer): Buffer {
  const length = RANDOM_BYTES + BEFORE_TEXT.length + 2 + said.length + sender.length + recipients.length;
  const head = `$${length}\r\n`;
  const bytes = Buffer.allocUnsafe(head.length + length + 2);
  let at = bytes.write(head, 0, 'latin1');
  for (let i = 0; i < RANDOM_BYTES; i += 4) at = bytes.writeUInt32LE(Math.floor(random() * 2 ** 32), at);
  bytes.set(BEFORE_TEXT, at);
  at += BEFORE_TEXT.length;
  bytes[at++] = 0xd9;
  bytes[at++] = said.length;
  at += bytes.write(said, at, 'latin1');
  bytes.set(sender, at);
  at += sender.length;
  bytes.set(recipients, at);
  at += recipients.length;
  bytes[at++] = 0x0d;
  bytes[at] = 0x0a;
  return bytes;
}

export function memberIn(memberAsBulk: Buffer): Buffer {
  return memberAsBulk.subarray(memberAsBulk.indexOf(0x0a) + 1, -2);
}
