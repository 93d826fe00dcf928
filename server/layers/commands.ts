/**
 * What the core layer says to Redis: each step as the command that channels_redis 4.0 sends for it, and how its reply is read.
 * K is a queue, `<prefix>specific.<32 hex>!` or `<prefix><general channel>`; its backup is `K$inflight`.
 *
 * Source: channels_redis/core.py. The proxy's reading of the same is in analysis/profiles/channel-layer.ts.
 */
import { FLUSH, GROUP_SEND, RESTORE, TAKE } from './scripts.js';

/** A command and its arguments. */
export type Command = readonly [name: string, ...args: readonly (string | Uint8Array | number)[]];

/** What Redis answers, as ioredis gives it when asked for bytes. */
export type RedisReply = Buffer | string | number | null | readonly RedisReply[];

/** How long a pop waits for a message, in seconds. */
export const POP_TIMEOUT = 5;

export const groupKey = (prefix: string, group: string): string => `${prefix}:group:${group}`;
export const backupOf = (queue: string): string => `${queue}$inflight`;

// Groups

export const addToGroup = (key: string, channel: string, now: number): Command => ['ZADD', key, now, channel];
export const expire = (key: string, seconds: number): Command => ['EXPIRE', key, seconds];
export const removeFromGroup = (key: string, channel: string): Command => ['ZREM', key, channel];
export const membersOf = (key: string): Command => ['ZRANGE', key, 0, -1];

// Sending

/** Drops what came before `now - age` from a queue, or from a group. Whole seconds, as Python's `int(time.time())`. */
export const dropOlder = (key: string, now: number, age: number): Command => [
  'ZREMRANGEBYSCORE',
  key,
  0,
  Math.floor(now) - age,
];
export const lengthOf = (queue: string): Command => ['ZCOUNT', queue, '-inf', '+inf'];
export const enqueue = (queue: string, member: Uint8Array, now: number): Command => [
  'ZADD',
  queue,
  now,
  member,
];

export interface Enqueued {
  readonly queue: string;
  readonly member: Uint8Array;
  readonly capacity: number;
}

export const enqueueAll = (items: readonly Enqueued[], now: number, expiry: number): Command => [
  'EVAL',
  GROUP_SEND,
  items.length,
  ...items.map(({ queue }) => queue),
  ...items.map(({ member }) => member),
  ...items.map(({ capacity }) => capacity),
  now,
  expiry,
];

// Receiving

export const restore = (queue: string): Command => ['EVAL', RESTORE, 0, queue, backupOf(queue)];
export const pop = (queue: string): Command => ['BZPOPMIN', queue, POP_TIMEOUT];
export const backUp = (queue: string, { member, score }: Popped): Command => [
  'ZADD',
  backupOf(queue),
  score,
  member,
];
/** Takes the oldest message out of the backup: channels_redis' way, right where one process at a time reads the queue. */
export const acknowledge = (queue: string): Command => ['ZPOPMIN', backupOf(queue)];
/** Takes these messages out of the backup, and no others that are in it. Not a command of channels_redis. */
export const acknowledgeThese = (queue: string, popped: readonly Popped[]): Command => [
  'ZREM',
  backupOf(queue),
  ...popped.map(({ member }) => member),
];
/** Takes what waits in a queue, and backs it up in the same moment. Not a command of channels_redis. */
export const take = (queue: string, atMost: number): Command => [
  'EVAL',
  TAKE,
  2,
  queue,
  backupOf(queue),
  atMost,
];
/** Puts a popped message back for others to read; to be done together. Not commands of channels_redis. */
export const putBack = (queue: string, popped: Popped): readonly Command[] => [
  ['ZADD', queue, popped.score, popped.member],
  acknowledgeThese(queue, [popped]),
];

export interface Popped {
  readonly member: Buffer;
  readonly score: number;
}

/** What a pop has brought; null when its time was over. */
export function poppedOf(reply: RedisReply): Popped | null {
  if (!Array.isArray(reply)) return null;
  const [, member, score] = reply as readonly RedisReply[];
  return Buffer.isBuffer(member) ? { member, score: Number(String(score)) } : null;
}

/** What `take` has brought, the oldest first. */
export function takenOf(reply: RedisReply): readonly Popped[] {
  if (!Array.isArray(reply)) return [];
  const taken: Popped[] = [];
  for (let at = 0; at + 1 < reply.length; at += 2) {
    const member = (reply as readonly RedisReply[])[at];
    if (Buffer.isBuffer(member)) taken.push({ member, score: Number(String(reply[at + 1])) });
  }
  return taken;
}

// All of it

/** Deletes every key under the prefix; its own `*` and `[` are letters. */
export const flushAll = (prefix: string): Command => [
  'EVAL',
  FLUSH,
  0,
  `${prefix.replace(/[*?[\]\\^-]/g, '\\$&')}*`,
];
