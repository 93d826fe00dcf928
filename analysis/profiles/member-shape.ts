/**
 * Could these bytes be a message of the layer? A look at the first byte, because it is asked of what every application puts into its sorted
 * sets: a message is a map in msgpack, or a Fernet token where the layer encrypts.
 */
import { RANDOM_BYTES } from '../../server/layers/message.js';

const FERNET = Buffer.from('gAAAA');

/** As a list holds it, before channels_redis 3. */
export function looksLikeMessage(bytes: Buffer): boolean {
  const first = bytes[0];
  if (first === undefined) return false;
  const map = (first >= 0x80 && first <= 0x8f) || first === 0xde || first === 0xdf;
  return map || bytes.subarray(0, FERNET.length).equals(FERNET);
}

/** As a sorted set holds it: 12 random bytes come first. */
export function looksLikeMember(bytes: Buffer): boolean {
  return looksLikeMessage(bytes.subarray(RANDOM_BYTES));
}
