/**
 * What the core layer of channels_redis 2 says to Redis. Its queues are lists, a member is the msgpack of the message alone, and a process is
 * named by 8 letters, `<prefix>specific.<8 letters>!` (K):
 *
 *   send         RPUSH K member (2.3 and 2.4 LPUSH)
 *   group_send   EVAL script n K… member…, from 2.2 with capacity… behind: one key for each channel, so a key may come more than once
 *   receive      2.0 to 2.2: BLPOP K timeout, and nothing that keeps the message from there on
 *                2.3, 2.4: EVAL script 0 K I, BRPOPLPUSH K I timeout (popped and backed up in one), RPOP I (acknowledge)
 *
 * Lists are common, so only queues named like those of a process count: a job queue of Celery or RQ is not one.
 * Source: channels_redis/core.py of those versions, channels_redis#93 for a group_send as MONITOR shows it.
 */
import type { Reply } from '../../proxy/trace/trace.js';
import { looksLikeMessage } from './member-shape.js';
import { BACKUP_SUFFIX, isProcessQueue, nameOf } from './names.js';

export const LIST_COMMANDS: readonly string[] = ['RPUSH', 'LPUSH', 'BLPOP', 'BRPOPLPUSH', 'RPOP'];

/** A step of the profile (channel-layer.ts), or null. */
export function listStep(command: string, args: readonly Buffer[], reply: Reply | null) {
  if (!LIST_COMMANDS.includes(command) || !args[1]) return null;
  const key = nameOf(args[1]);
  if (command === 'RPOP') return acknowledged(key, reply);
  if (!isProcessQueue(key)) return null;
  switch (command) {
    case 'BLPOP': {
      const [, taken] = reply?.kind === 'array' ? reply.items : [];
      const member = taken?.kind === 'bulk' ? taken.bytes : null;
      const seconds = Number(args.at(-1)?.toString('latin1'));
      return { step: 'poll' as const, queues: [key], seconds, taken: member && { queue: key, member } };
    }
    case 'BRPOPLPUSH':
      if (!args[2] || nameOf(args[2]) !== key + BACKUP_SUFFIX) return null;
      return { step: 'take' as const, queue: key, members: reply?.kind === 'bulk' ? [reply.bytes] : [] };
    default:
      return args.length === 3 ? enqueued('send', [delivery(key, args[2] as Buffer)]) : null;
  }
}

/** A script of one member for each key, and from 2.2 on one capacity for each. */
export function listGroupSend(keys: readonly string[], argv: readonly Buffer[]) {
  const count = keys.length;
  if ((argv.length !== count && argv.length !== 2 * count) || !keys.every(isProcessQueue)) return null;
  if (!argv.slice(0, count).every(looksLikeMessage)) return null;
  if (!argv.slice(count).every((bytes) => /^\d+$/.test(bytes.toString('latin1')))) return null;
  return enqueued(
    'group_send',
    keys.map((key, i) => delivery(key, argv[i] as Buffer)),
  );
}

function acknowledged(key: string, reply: Reply | null) {
  const queue = key.endsWith(BACKUP_SUFFIX) ? key.slice(0, -BACKUP_SUFFIX.length) : '';
  if (!isProcessQueue(queue)) return null;
  return { step: 'acknowledge' as const, queue, members: reply?.kind === 'bulk' ? [reply.bytes] : [] };
}

function delivery(queue: string, member: Buffer) {
  return { queue, member, capacity: null };
}

/** A list has no scores, so its messages have no clock: NaN is before and after nothing. */
function enqueued(by: 'group_send' | 'send', deliveries: readonly ReturnType<typeof delivery>[]) {
  return { step: 'enqueue' as const, by, deliveries, score: Number.NaN, expiry: null };
}
