/**
 * The member format of the channels_redis core layer: what one message looks like in a queue.
 *
 * A queue is a sorted set, and a set holds equal members once. So each member begins with 12 random bytes, which
 * make two equal messages differ; the msgpack of the message follows, a map with string keys. A message for one
 * process is sent once and names there, under `__asgi_channel__`, the channels in that process it is for: a string
 * when sent by `send`, a list when by `group_send`. A message for a general channel has no such key.
 *
 * Source: `serialize`, `deserialize`, `send` and `group_send` in channels_redis/core.py, 3.0 to 4.3. With
 * `symmetric_encryption_keys` a Fernet token takes the place of the msgpack; that is opaque here.
 */
import { Decoder, encode } from '@msgpack/msgpack';

/** Length of the random start of a member. */
export const RANDOM_BYTES = 12;
/** The key under which a message names its recipients. */
export const RECIPIENTS_KEY = '__asgi_channel__';

/**
 * A message as the layer's user sees it. Values are null, boolean, number, string, Uint8Array, arrays and maps of
 * these, and bigint for integers that msgpack holds in 64 bits, so that none is rounded.
 */
export type Message = Readonly<Record<string, unknown>>;

export type DecodedMember =
  | { readonly ok: true; readonly message: Message }
  | { readonly ok: false; readonly reason: string };

/**
 * The bytes to put into a queue. `random` is exactly 12 bytes, new for each member.
 * A whole number is written as an integer: JavaScript cannot tell 1.0 from 1, Python can.
 * Throws RangeError on another length of `random`, and what msgpack throws on a value that it has no form for.
 */
export function encodeMember(message: Message, random: Uint8Array): Uint8Array {
  if (random.length !== RANDOM_BYTES)
    throw new RangeError(`a member begins with ${RANDOM_BYTES} random bytes, not ${random.length}`);
  const body = encode(message, { useBigInt64: true });
  const member = new Uint8Array(RANDOM_BYTES + body.length);
  member.set(random);
  member.set(body, RANDOM_BYTES);
  return member;
}

/** Reads a member. Never throws: what is not a member (or is encrypted) comes back with the reason. */
export function decodeMember(bytes: Uint8Array): DecodedMember {
  if (bytes.length <= RANDOM_BYTES)
    return {
      ok: false,
      reason: `${bytes.length} bytes: shorter than the ${RANDOM_BYTES} random ones and a message`,
    };
  return decodeMessage(bytes.subarray(RANDOM_BYTES));
}

/** Reads the msgpack of a message without random bytes before it: what the pub/sub layer publishes. Never throws. */
export function decodeMessage(body: Uint8Array): DecodedMember {
  let value: unknown;
  try {
    value = decoders.for(body.length).decode(body);
  } catch (error) {
    return { ok: false, reason: `not msgpack: ${error instanceof Error ? error.message : String(error)}` };
  }
  if (!isMap(value)) return { ok: false, reason: 'msgpack, but not a map: a message is a map' };
  return { ok: true, message: value };
}

const LARGEST_KEPT = 1 << 16;

/** By their limit, a power of two. Making one takes a quarter of the time of decoding; each keeps the last body that it decoded. */
class Decoders {
  readonly #kept: Decoder[] = [];
  readonly #rawStrings: boolean;

  constructor(rawStrings: boolean) {
    this.#rawStrings = rawStrings;
  }

  /** Nothing in a body can be longer than itself. Without limits, five bytes that claim an array of 2^29 items cost 4 GB. */
  for(length: number): Decoder {
    if (length > LARGEST_KEPT) return newDecoder(length, this.#rawStrings);
    const power = 32 - Math.clz32(length);
    let decoder = this.#kept[power];
    if (!decoder) {
      decoder = newDecoder(2 ** power, this.#rawStrings);
      this.#kept[power] = decoder;
    }
    return decoder;
  }
}

const decoders = new Decoders(false);
/** Strings stay bytes: but for keys of maps. */
const rawDecoders = new Decoders(true);

function newDecoder(limit: number, rawStrings: boolean): Decoder {
  return new Decoder({
    rawStrings,
    useBigInt64: true,
    mapKeyConverter: stringKey,
    maxStrLength: limit,
    maxBinLength: limit,
    maxArrayLength: limit,
    maxMapLength: limit,
    maxExtLength: limit,
  });
}

/** The channels that a message names as its recipients, in its order. Null where it names none, or no such list. */
export function recipientsOf(message: Message): readonly string[] | null {
  const recipients = message[RECIPIENTS_KEY];
  if (typeof recipients === 'string') return [recipients];
  if (Array.isArray(recipients) && recipients.every((channel) => typeof channel === 'string'))
    return recipients;
  return null;
}

/**
 * Where in a member its list of recipients is: from the first item to the end of the last, as msgpack writes them. Same bytes, same recipients. For who
 * reads millions of members that are for the same few: it takes less than half of what decoding takes. Null where only decoding tells.
 */
export function recipientsSpan(member: Uint8Array): readonly [from: number, to: number] | null {
  if (member.length <= RANDOM_BYTES) return null;
  const body = member.subarray(RANDOM_BYTES);
  let value: unknown;
  try {
    value = rawDecoders.for(body.length).decode(body);
  } catch {
    return null;
  }
  const items: unknown = isMap(value) ? value[RECIPIENTS_KEY] : null;
  if (!Array.isArray(items) || items.length === 0) return null;
  let from = -1;
  let to = -1;
  for (const item of items) {
    if (!(item instanceof Uint8Array)) return null;
    const isShort = item.length < 32;
    const at = item.byteOffset - member.byteOffset;
    const head = at - (isShort ? 1 : 2);
    // Binary looks the same but for its head.
    if (item.length > 255 || member[head] !== (isShort ? SHORT_STRING | item.length : STRING_8)) return null;
    if (from === -1) from = head;
    else if (to !== head) return null;
    to = at + item.length;
  }
  return [from, to];
}

/** How msgpack begins a string: with its length in the same byte, or in the next one. */
const SHORT_STRING = 0xa0;
const STRING_8 = 0xd9;

/** Python's msgpack refuses other keys too (`strict_map_key`), so a layer never reads them. */
function stringKey(key: unknown): string {
  if (typeof key === 'string') return key;
  throw new TypeError('a map key that is not a string');
}

function isMap(value: unknown): value is Message {
  return value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype;
}
