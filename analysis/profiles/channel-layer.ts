/**
 * What the operations of a trace mean to the core layer of channels_redis (3.x to 4.3).
 *
 * Scripts are known by their shape, not by one version's text: a proxy does not see inside Lua, and EVALSHA carries
 * no text at all. The shapes (K is a queue `<prefix>specific.<32 hex>!`, I its backup `K$inflight`):
 *
 *   group_send   EVAL script n K… member… capacity… now expiry      one member and one capacity per queue
 *   send         ZADD K score member
 *   receive      EVAL script 0 K I  (restore)   BZPOPMIN K timeout   ZADD I score member (backup)   ZPOPMIN I (acknowledge)
 *   take         EVAL script 2 K I n    (gaptrace's reliable receive: what waits, popped and backed up by one script; acknowledged by ZREM I member…)
 *   group_add    ZADD <prefix>:group:<name> score channel            group_discard: ZREM
 *
 * A general channel, which workers read, has a queue `<prefix><name>` and is received in the same way. Its name says nothing, and other
 * applications have sorted sets too: what is put into one counts where the member looks like the layer's, and the journeys keep
 * it only where the queue is received as the layer receives. Versions before 3 queue in lists: list-era.ts.
 *
 * Source: channels_redis/core.py, and the captures in examples/. Names of keys and channels are text; where one is not
 * UTF-8 it becomes Latin-1, which keeps different bytes different.
 */
import type { Reply, TraceOperation } from '../../proxy/trace/trace.js';
import { LIST_COMMANDS, listGroupSend, listStep } from './list-era.js';
import { looksLikeMember } from './member-shape.js';
import { BACKUP_SUFFIX, isProcessQueue, nameOf } from './names.js';

export { BACKUP_SUFFIX, isProcessQueue, nameOf, processOf } from './names.js';

/** One member put into one queue. */
export interface Delivery {
  readonly queue: string;
  readonly member: Buffer;
  /** The queue's capacity as the script was told; null for a plain ZADD. */
  readonly capacity: number | null;
}

export type Step =
  | {
      readonly step: 'enqueue';
      readonly by: 'group_send' | 'send';
      readonly deliveries: readonly Delivery[];
      readonly score: number;
      readonly expiry: number | null;
    }
  | {
      readonly step: 'poll';
      readonly queues: readonly string[];
      /** How long it waits for a message; 0: for ever. */
      readonly seconds: number;
      readonly taken: { readonly queue: string; readonly member: Buffer } | null;
    }
  | { readonly step: 'take'; readonly queue: string; readonly members: readonly Buffer[] }
  | { readonly step: 'restore'; readonly queue: string }
  | { readonly step: 'backup'; readonly queue: string; readonly member: Buffer }
  | { readonly step: 'acknowledge'; readonly queue: string; readonly members: readonly Buffer[] }
  | { readonly step: 'join' | 'leave'; readonly group: string; readonly channel: string }
  | { readonly step: 'members'; readonly group: string; readonly channels: readonly string[] };

/** The commands that can be a step; a reader need not fetch others. EXEC brings the replies of what was queued. */
export const COMMANDS: readonly string[] = [
  'EVAL',
  'EVALSHA',
  'ZADD',
  'BZPOPMIN',
  'ZPOPMIN',
  'ZREM',
  'ZRANGE',
  'MULTI',
  'EXEC',
  'DISCARD',
  ...LIST_COMMANDS,
];

/**
 * What an operation means to the layer; null where nothing. `reply` is the operation's own, or for one queued
 * in a transaction its item of EXEC's reply; null where none is known. The request alone makes an enqueue, a backup,
 * a restore; whether Redis did it is for the reply to say, and for the journey to judge.
 */
export function stepOf(operation: TraceOperation, reply: Reply | null): Step | null {
  const { args } = operation;
  switch (operation.command) {
    case 'EVAL':
    case 'EVALSHA':
      return scriptStep(args, reply);
    case 'ZADD':
      return zaddStep(args);
    case 'BZPOPMIN': {
      if (args.length < 3) return null;
      const taken = reply?.kind === 'array' ? bytesOf(reply.items[0], reply.items[1]) : null;
      return {
        step: 'poll',
        queues: args.slice(1, -1).map(nameOf),
        seconds: Number(args.at(-1)?.toString('latin1')),
        taken: taken && { queue: nameOf(taken[0]), member: taken[1] },
      };
    }
    case 'ZPOPMIN': {
      const key = args[1] && nameOf(args[1]);
      if (!key?.endsWith(BACKUP_SUFFIX)) return null;
      return { step: 'acknowledge', queue: key.slice(0, -BACKUP_SUFFIX.length), members: firstPopped(reply) };
    }
    case 'ZREM': {
      const key = args[1] && nameOf(args[1]);
      if (key?.endsWith(BACKUP_SUFFIX))
        return { step: 'acknowledge', queue: key.slice(0, -BACKUP_SUFFIX.length), members: args.slice(2) };
      if (!key || !isGroup(key) || !args[2]) return null;
      return { step: 'leave', group: key, channel: nameOf(args[2]) };
    }
    case 'ZRANGE': {
      const key = args[1] && nameOf(args[1]);
      if (!key || !isGroup(key) || reply?.kind !== 'array') return null;
      const channels = reply.items.flatMap((item) => (item.kind === 'bulk' ? [nameOf(item.bytes)] : []));
      return { step: 'members', group: key, channels };
    }
    default:
      return listStep(operation.command, args, reply);
  }
}

function isGroup(key: string): boolean {
  return key.includes(':group:');
}

function scriptStep(args: readonly Buffer[], reply: Reply | null): Step | null {
  const count = Number(args[2]?.toString('latin1'));
  if (!Number.isInteger(count) || count < 0) return null;
  const keys = args.slice(3, 3 + count).map(nameOf);
  const argv = args.slice(3 + count);
  if (count === 0) {
    const [queue, backup] = argv.map(nameOf);
    if (argv.length !== 2 || queue === undefined || backup !== queue + BACKUP_SUFFIX) return null;
    return { step: 'restore', queue };
  }
  if (count === 2 && argv.length === 1 && keys[1] === keys[0] + BACKUP_SUFFIX)
    return { step: 'take', queue: keys[0] as string, members: everySecond(reply) };
  // One member and one capacity per queue, then now and expiry: the shape that no other script of the layer has.
  if (keys.length !== count) return null;
  if (argv.length !== 2 * count + 2) return listGroupSend(keys, argv);
  if (!keys.every((key, i) => isProcessQueue(key) || looksLikeMember(argv[i] as Buffer))) return null;
  const numbers = argv.slice(count).map((bytes) => Number(bytes.toString('latin1')));
  if (numbers.some(Number.isNaN)) return null;
  return {
    step: 'enqueue',
    by: 'group_send',
    deliveries: keys.map((queue, i) => ({
      queue,
      member: argv[i] as Buffer,
      capacity: numbers[i] as number,
    })),
    score: numbers[count] as number,
    expiry: numbers[count + 1] as number,
  };
}

function zaddStep(args: readonly Buffer[]): Step | null {
  const [, keyBytes, scoreBytes, member] = args;
  if (args.length !== 4 || !keyBytes || !scoreBytes || !member) return null;
  const key = nameOf(keyBytes);
  if (key.endsWith(BACKUP_SUFFIX))
    return { step: 'backup', queue: key.slice(0, -BACKUP_SUFFIX.length), member };
  if (isGroup(key)) return { step: 'join', group: key, channel: nameOf(member) };
  if (!isProcessQueue(key) && !looksLikeMember(member)) return null;
  const score = Number(scoreBytes.toString('latin1'));
  return {
    step: 'enqueue',
    by: 'send',
    deliveries: [{ queue: key, member, capacity: null }],
    score,
    expiry: null,
  };
}

function bytesOf(key: Reply | undefined, member: Reply | undefined): readonly [Buffer, Buffer] | null {
  return key?.kind === 'bulk' && member?.kind === 'bulk' ? [key.bytes, member.bytes] : null;
}

/** ZPOPMIN answers [member, score], or [[member, score]] in RESP3 when asked for a count. */
function firstPopped(reply: Reply | null): readonly Buffer[] {
  if (reply?.kind !== 'array') return [];
  const first = reply.items[0];
  const member = first?.kind === 'array' ? first.items[0] : first;
  return member?.kind === 'bulk' ? [member.bytes] : [];
}

/** The members of [member, score, member, score, …], which is how a script hands on what ZPOPMIN gave it. */
function everySecond(reply: Reply | null): readonly Buffer[] {
  if (reply?.kind !== 'array') return [];
  return reply.items.flatMap((item, at) => (at % 2 === 0 && item.kind === 'bulk' ? [item.bytes] : []));
}
