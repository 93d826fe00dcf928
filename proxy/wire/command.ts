/**
 * The command that a request names, found from its bytes without making a string: each name, as it is spelt, is looked up once and
 * remembered.
 */
import { type KeyRule, keyRule } from './keys.js';

/** Commands that change how the connection goes on, and so how replies pair. */
export type Role =
  | 'plain'
  | 'subscribe'
  | 'unsubscribe'
  | 'multi'
  | 'exec'
  | 'discard'
  | 'watch'
  | 'client'
  | 'hello'
  | 'monitor'
  | 'reset'
  | 'quit'
  | 'ping'
  | 'script'
  /** Some of its forms leave the order of one reply a request: see `leavesOrder` in session.ts. */
  | 'odd';

const ROLES: Readonly<Record<string, Role>> = {
  SUBSCRIBE: 'subscribe',
  PSUBSCRIBE: 'subscribe',
  SSUBSCRIBE: 'subscribe',
  UNSUBSCRIBE: 'unsubscribe',
  PUNSUBSCRIBE: 'unsubscribe',
  SUNSUBSCRIBE: 'unsubscribe',
  MULTI: 'multi',
  EXEC: 'exec',
  DISCARD: 'discard',
  WATCH: 'watch',
  CLIENT: 'client',
  HELLO: 'hello',
  MONITOR: 'monitor',
  RESET: 'reset',
  QUIT: 'quit',
  PING: 'ping',
  EVAL: 'script',
  EVALSHA: 'script',
  EVAL_RO: 'script',
  EVALSHA_RO: 'script',
  FCALL: 'script',
  FCALL_RO: 'script',
  SYNC: 'odd',
  PSYNC: 'odd',
  REPLCONF: 'odd',
  DEBUG: 'odd',
  SCRIPT: 'odd',
};

/** Commands whose arguments, or whose replies, may hold a secret. */
const SENSITIVE = new Set(['AUTH', 'HELLO', 'ACL', 'CONFIG', 'MIGRATE', 'SENTINEL', 'MODULE']);

export interface Command {
  /** Upper case; '' where the bytes are no name. */
  readonly name: string;
  readonly role: Role;
  readonly keys: KeyRule;
  readonly sensitive: boolean;
}

const LONGEST_NAME = 64;
const NO_KEYS: KeyRule = { kind: 'none' };
export const NO_COMMAND: Command = { name: '', role: 'plain', keys: NO_KEYS, sensitive: false };

interface Remembered {
  readonly spelling: Buffer;
  readonly command: Command;
}

/** By hash of the spelling; one name a slot, the last one seen stays. */
const SLOTS = 1024;
const slots: (Remembered | undefined)[] = new Array<Remembered | undefined>(SLOTS).fill(undefined);

/** The command whose name stands in `bytes` from `start`, `length` bytes long. */
export function commandAt(bytes: Buffer, start: number, length: number): Command {
  const end = start + length;
  if (length === 0 || length > LONGEST_NAME || start < 0 || end > bytes.length) return NO_COMMAND;
  let hash = length;
  for (let at = start; at < end; at += 1) hash = (hash * 31 + bytes[at]!) & 0xffffff;
  const slot = hash & (SLOTS - 1);
  const known = slots[slot];
  if (known !== undefined && sameBytes(known.spelling, bytes, start)) {
    if (known.spelling.length === length) return known.command;
  }
  const spelling = Buffer.from(bytes.subarray(start, end));
  const command = describeCommand(spelling);
  slots[slot] = { spelling, command };
  return command;
}

function sameBytes(spelling: Buffer, bytes: Buffer, start: number): boolean {
  for (let at = 0; at < spelling.length; at += 1) {
    if (spelling[at] !== bytes[start + at]) return false;
  }
  return true;
}

function describeCommand(spelling: Buffer): Command {
  const spelt = spelling.toString('latin1');
  if (!/^[\x21-\x7e]+$/.test(spelt)) return NO_COMMAND;
  const name = spelt.toUpperCase();
  const role = Object.hasOwn(ROLES, name) ? (ROLES[name] ?? 'plain') : 'plain';
  return { name, role, keys: keyRule(name), sensitive: SENSITIVE.has(name) };
}
