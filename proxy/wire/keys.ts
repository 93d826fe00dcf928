/**
 * Which arguments of a request are keys. The table is that of `@ioredis/commands` (Redis 8; it knows every command of 7.0). What
 * it reads from the arguments is guarded here, because it trusts them: `EVAL … 1e9` would have it loop a thousand million times.
 *
 * Keys in Redis' sense: the channels of SPUBLISH and SSUBSCRIBE are keys, those of PUBLISH and SUBSCRIBE are not.
 */
import { exists, getKeyIndexes } from '@ioredis/commands';

export type KeyRule =
  | { readonly kind: 'none' }
  /** Keys stand from argument `first` (0 is the command's name) to `last`; below 0, `last` counts from the end: -1 is the last argument. */
  | { readonly kind: 'fixed'; readonly first: number; readonly last: number }
  /** Argument `at` says how many keys follow it. */
  | { readonly kind: 'counted'; readonly at: number }
  /** Only the arguments tell: ask `keysOf`. */
  | { readonly kind: 'dynamic' };

const NONE: KeyRule = { kind: 'none' };
const DYNAMIC: KeyRule = { kind: 'dynamic' };

/** The argument that says how many keys follow it, for commands that have no other keys. */
const COUNT_AT: ReadonlyMap<string, number> = new Map([
  ...['EVAL', 'EVALSHA', 'EVAL_RO', 'EVALSHA_RO', 'FCALL', 'FCALL_RO', 'BLMPOP', 'BZMPOP'].map(
    (name) => [name, 2] as const,
  ),
  ...[
    'LMPOP',
    'ZMPOP',
    'ZUNION',
    'ZINTER',
    'ZINTERCARD',
    'ZDIFF',
    'SINTERCARD',
    'SUNIONCARD',
    'SDIFFCARD',
  ].map((name) => [name, 1] as const),
]);

/** The same, with keys elsewhere too. */
const COUNT_AMONG: ReadonlyMap<string, number> = new Map([
  ...['ZUNIONSTORE', 'ZINTERSTORE', 'ZDIFFSTORE'].map((name) => [name, 2] as const),
  ['MSETEX', 1],
]);

/** Options among the arguments name keys; the table wants those as text. */
const WITH_OPTIONS = new Set(['GEORADIUS', 'GEORADIUSBYMEMBER', 'MIGRATE', 'XREAD', 'XREADGROUP']);

const WITH_SUBCOMMANDS = new Set(['BLESS', 'HIMPORT', 'MEMORY', 'OBJECT', 'XGROUP', 'XINFO']);

const SORTS = new Set(['SORT', 'SORT_RO']);

/** Scripts that may carry their keys in ARGV. */
const EVALS = new Set(['EVAL', 'EVALSHA']);

const rules = new Map<string, KeyRule>();

/** Where the keys of a command stand. `command` is upper case. */
export function keyRule(command: string): KeyRule {
  const known = rules.get(command);
  if (known !== undefined) return known;
  const name = command.toLowerCase();
  if (!exists(name)) return NONE; // not kept: names that do not exist are without number
  const rule = findRule(command, name);
  rules.set(command, rule);
  return rule;
}

function findRule(command: string, name: string): KeyRule {
  const at = COUNT_AT.get(command);
  if (at !== undefined) return { kind: 'counted', at };
  if ([COUNT_AMONG, WITH_OPTIONS, WITH_SUBCOMMANDS, SORTS].some((set) => set.has(command))) return DYNAMIC;
  // Ask the table with arguments that mean nothing, of several lengths, and see what stays the same.
  const lengths = [6, 7, 8, 9];
  const probes = lengths.map((length) => indexes(name, Array<string>(length).fill('?')));
  const first = probes[0]?.[0];
  if (first === undefined) return NONE;
  if (!probes.every((found) => found.every((at, index) => at === first + index))) return DYNAMIC;
  const lasts = probes.map((found) => found.at(-1) ?? 0);
  if (lasts.every((last) => last === lasts[0])) {
    return { kind: 'fixed', first: first + 1, last: (lasts[0] ?? 0) + 1 };
  }
  const fromEnd = lasts.map((last, index) => last - (lengths[index] ?? 0));
  if (!fromEnd.every((distance) => distance === fromEnd[0])) return DYNAMIC;
  return { kind: 'fixed', first: first + 1, last: fromEnd[0] ?? 0 };
}

/** Asks the table; indexes are those of `rest`, the arguments after the command's name. */
function indexes(name: string, rest: readonly (string | Buffer)[]): number[] {
  try {
    return getKeyIndexes(name, [...rest]).map(Number);
  } catch {
    return [];
  }
}

/**
 * Each key of a request in order, repeats included; they alias the arguments. `args[0]` is the command's name, of which
 * `command` is the upper case. Arguments that make no sense give no keys; it never throws.
 */
export function keysOf(command: string, args: readonly Buffer[]): Buffer[] {
  const rule = keyRule(command);
  if (rule.kind === 'none') return [];
  if (rule.kind === 'fixed') {
    return args.slice(rule.first, rule.last < 0 ? Math.max(args.length + rule.last + 1, 0) : rule.last + 1);
  }
  if (rule.kind === 'counted') {
    const count = keyCount(args[rule.at], args.length - rule.at - 1);
    if (count === 0 && EVALS.has(command)) return backupKeys(args);
    return args.slice(rule.at + 1, rule.at + 1 + (count ?? 0));
  }
  const among = COUNT_AMONG.get(command);
  if (among !== undefined && keyCount(args[among], args.length - among - 1) === null) return [];
  if (SORTS.has(command)) return sortKeys(args);
  const rest = args.slice(1);
  const words = WITH_OPTIONS.has(command) ? rest.map((arg) => arg.toString('latin1')) : rest;
  return indexes(command.toLowerCase(), words).flatMap((at) => rest[at] ?? []);
}

/** The number of keys that `digits` announces, or null where it is no number or more than the `left` arguments after it. */
export function keyCount(digits: Buffer | undefined, left: number): number | null {
  if (digits === undefined || digits.length === 0 || digits.length > 9) return null;
  let count = 0;
  for (const byte of digits) {
    if (byte < 48 || byte > 57) return null;
    count = count * 10 + byte - 48;
  }
  return count <= left ? count : null;
}

const BACKUP_SUFFIX = Buffer.from('$inflight');

/**
 * channels_redis' cleanup script takes no KEYS: its ARGV are a queue and the queue's backup, `<queue>$inflight`. Both are keys to
 * anybody who follows a message.
 */
function backupKeys(args: readonly Buffer[]): Buffer[] {
  const queue = args[3];
  const backup = args[4];
  if (args.length !== 5 || queue === undefined || backup === undefined) return [];
  const cut = backup.length - BACKUP_SUFFIX.length;
  if (cut !== queue.length || !backup.subarray(cut).equals(BACKUP_SUFFIX)) return [];
  return backup.subarray(0, cut).equals(queue) ? [queue, backup] : [];
}

/** SORT's key and where it stores. BY and GET are patterns, not keys (the table takes them for such). */
function sortKeys(args: readonly Buffer[]): Buffer[] {
  const keys = args.slice(1, 2);
  for (let at = 2; at < args.length; at += 1) {
    const word = args[at]?.toString('latin1').toUpperCase();
    if (word === 'STORE') keys.push(...args.slice(at + 1, at + 2));
    if (word === 'STORE' || word === 'BY' || word === 'GET') at += 1;
    if (word === 'LIMIT') at += 2;
  }
  return keys;
}
