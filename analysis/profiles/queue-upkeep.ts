/**
 * What is done to a queue beside sending and receiving: trimmed, counted, given time to live, removed. None of it carries a message, and
 * all of it decides what a queue can still hold.
 *
 *   send, group_send   ZREMRANGEBYSCORE K 0 now-expiry -> n   (trim; group_send does it in a MULTI for each of its queues)
 *   send               ZCOUNT K -inf +inf -> n                (count: send raises ChannelFull where n reaches the capacity)
 *   send               EXPIRE K expiry                        (group_send's script does it too, unseen)
 *   flush              EVAL script 0 <prefix>*                (every queue, backup and group of the layer)
 *   anybody            DEL, UNLINK, RENAME, FLUSHDB, FLUSHALL, ZREM K member
 *
 * Source: channels_redis/core.py 4.0.0.
 */
import type { Reply, TraceOperation } from '../../proxy/trace/trace.js';
import { BACKUP_SUFFIX, nameOf } from './channel-layer.js';

/** Which keys an operation removed: by name, or all that begin with a text (everything, where it is empty). */
export type Removed = { readonly keys: readonly string[] } | { readonly prefix: string };

export type Upkeep =
  | {
      readonly upkeep: 'trim';
      readonly queue: string;
      /** Members with a score of at most this go. */
      readonly upTo: number;
      /** How many went; null where the reply is not known. */
      readonly removed: number | null;
    }
  | { readonly upkeep: 'refused-trim'; readonly queue: string; readonly error: string }
  | { readonly upkeep: 'count'; readonly queue: string; readonly held: number | null }
  | {
      readonly upkeep: 'expire';
      readonly queue: string;
      readonly seconds: number;
      readonly set: boolean | null;
    }
  | {
      readonly upkeep: 'remove';
      readonly of: Removed;
      /** Only these; null: the whole key. */
      readonly members: readonly Buffer[] | null;
      /** False: Redis removed nothing. Null: not known. */
      readonly done: boolean | null;
    };

/** The commands that can be upkeep; SELECT says which database a connection speaks to. */
export const UPKEEP_COMMANDS: readonly string[] = [
  'EVAL',
  'EVALSHA',
  'ZREMRANGEBYSCORE',
  'ZCOUNT',
  'ZCARD',
  'EXPIRE',
  'PEXPIRE',
  'DEL',
  'UNLINK',
  'RENAME',
  'FLUSHALL',
  'FLUSHDB',
  'ZREM',
  'SELECT',
];

/**
 * What an operation does to a queue; null where nothing. `reply` as `stepOf` takes it. A refused command does nothing; but the trim is the first
 * that a send does to a queue, and one that Redis refuses ends the send.
 */
export function upkeepOf({ command, args }: TraceOperation, reply: Reply | null): Upkeep | null {
  const queue = args[1] && nameOf(args[1]);
  if (reply?.kind === 'error')
    return command === 'ZREMRANGEBYSCORE' && queue
      ? { upkeep: 'refused-trim', queue, error: reply.text }
      : null;
  const n = numberOf(reply);
  switch (command) {
    case 'ZREMRANGEBYSCORE': {
      const upTo = scoreOf(args[3]);
      return queue && upTo !== null ? { upkeep: 'trim', queue, upTo, removed: n } : null;
    }
    case 'ZCOUNT':
      return queue && wholeRange(args) ? { upkeep: 'count', queue, held: n } : null;
    case 'ZCARD':
      return queue ? { upkeep: 'count', queue, held: n } : null;
    case 'EXPIRE':
    case 'PEXPIRE': {
      const seconds = Number(args[2]?.toString('latin1')) / (command === 'EXPIRE' ? 1 : 1000);
      if (!queue || Number.isNaN(seconds)) return null;
      return { upkeep: 'expire', queue, seconds, set: n === null ? null : n > 0 };
    }
    case 'DEL':
    case 'UNLINK': {
      const keys = args.slice(1).map(nameOf);
      // Of several keys the reply says how many there were, not which.
      const done = n === 0 ? false : n === keys.length ? true : null;
      return { upkeep: 'remove', of: { keys }, members: null, done };
    }
    case 'RENAME':
      return {
        upkeep: 'remove',
        of: { keys: args.slice(1, 3).map(nameOf) },
        members: null,
        done: known(reply),
      };
    case 'FLUSHALL':
    case 'FLUSHDB':
      return { upkeep: 'remove', of: { prefix: '' }, members: null, done: known(reply) };
    case 'ZREM': {
      if (!queue || queue.endsWith(BACKUP_SUFFIX)) return null;
      const members = args.slice(2);
      const done = n === 0 ? false : n === members.length ? true : null;
      return { upkeep: 'remove', of: { keys: [queue] }, members, done };
    }
    case 'EVAL':
    case 'EVALSHA':
      return flushScript(command, args, reply);
    default:
      return null;
  }
}

/** The layer's own flush, by its shape; that it deletes is known where its text is there to say so. */
function flushScript(command: string, args: readonly Buffer[], reply: Reply | null): Upkeep | null {
  const pattern = args[3]?.toString('latin1') ?? '';
  if (args.length !== 4 || args[2]?.toString('latin1') !== '0' || !/^[^*?[\\]+\*$/.test(pattern)) return null;
  if (command === 'EVAL' && !/\b(del|unlink)\b/i.test(args[1]?.toString('latin1') ?? '')) return null;
  return {
    upkeep: 'remove',
    of: { prefix: nameOf(args[3] as Buffer).slice(0, -1) },
    members: null,
    done: command === 'EVAL' ? known(reply) : null,
  };
}

function known(reply: Reply | null): true | null {
  return reply === null ? null : true;
}

function numberOf(reply: Reply | null): number | null {
  return reply?.kind === 'integer' ? Number(reply.value) : null;
}

function wholeRange(args: readonly Buffer[]): boolean {
  return scoreOf(args[2]) === Number.NEGATIVE_INFINITY && scoreOf(args[3]) === Number.POSITIVE_INFINITY;
}

/** `-inf`, `+inf`, a number, or `(` and a number, which leaves out less than the analysis can tell apart. */
function scoreOf(word: Buffer | undefined): number | null {
  const text = word?.toString('latin1').toLowerCase() ?? '';
  if (/^[+-]?inf$/.test(text))
    return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  const score = Number(text.replace(/^\(/, ''));
  return text === '' || Number.isNaN(score) ? null : score;
}
