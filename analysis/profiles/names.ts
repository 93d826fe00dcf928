/**
 * Names of keys and channels. They are text; where one is not UTF-8 it becomes Latin-1, which keeps different bytes different.
 */

import { isAscii } from 'node:buffer';

/** A queue's backup is its name with this. */
export const BACKUP_SUFFIX = '$inflight';

/** The text of a key or channel name. */
export function nameOf(bytes: Buffer): string {
  if (isAscii(bytes)) return bytes.toString('latin1');
  const text = bytes.toString('utf8');
  return Buffer.byteLength(text, 'utf8') === bytes.length && !text.includes('\ufffd')
    ? text
    : bytes.toString('latin1');
}

/** Is it the queue of one process, `…specific.<32 hex>!`, or up to channels_redis 2 `…specific.<8 letters>!`? */
export function isProcessQueue(name: string): boolean {
  return /(?:[0-9a-f]{32}|\.[A-Za-z]{8})!$/.test(name);
}

/** The part of a channel name that all channels of its process share, with the `!`. Null for a general channel. */
export function processOf(channel: string): string | null {
  const end = channel.indexOf('!');
  return end < 0 ? null : channel.slice(0, end + 1);
}
