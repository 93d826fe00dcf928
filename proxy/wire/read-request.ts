/** What a whole request frame says: its command, its keys and, where pairing or the client's facts need them, its words. */
import { afterArgument, takeArguments, walkArguments } from './arguments.js';
import { type Command, commandAt, NO_COMMAND } from './command.js';
import { splitInline } from './inline.js';
import { type KeyRule, keyCount, keysOf } from './keys.js';
import type { RequestFramer } from './request-framer.js';
import { secretArguments } from './secrets.js';

export interface ReadRequest {
  readonly command: Command;
  readonly keys: readonly Buffer[];
  /** The arguments after the command's name, where they were needed; they alias the frame, and are all whole. */
  readonly args: readonly Buffer[];
  /** Bytes that a Redactor blanked. */
  readonly redactedBytes: number;
}

const NO_BUFFERS: readonly Buffer[] = [];

/** Reads the framer's current frame, of which `bytes` is what was kept. */
export function readRequest(framer: RequestFramer, bytes: Buffer): ReadRequest {
  const command = framer.inline
    ? inlineCommand(bytes)
    : commandAt(bytes, framer.commandStart, framer.commandLength);
  const readsAll = framer.inline || framer.cut || command.sensitive;
  if (readsAll || (command.role !== 'plain' && command.role !== 'script'))
    return readAll(framer, bytes, command);
  const keys = fewKeys(framer, bytes, command.keys);
  return keys === null
    ? readAll(framer, bytes, command)
    : { command, keys, args: NO_BUFFERS, redactedBytes: 0 };
}

/** The keys of a whole RESP request, where it takes only the first arguments to find them. Null: it takes all of them. */
function fewKeys(framer: RequestFramer, bytes: Buffer, rule: KeyRule): readonly Buffer[] | null {
  const second = framer.commandStart + framer.commandLength + 2;
  if (rule.kind === 'none') return NO_BUFFERS;
  if (rule.kind === 'fixed' && rule.first === 1) {
    return takeArguments(bytes, second, 1, rule.last < 0 ? framer.argumentCount + rule.last : rule.last);
  }
  if (rule.kind !== 'counted') return null;
  const digits = takeArguments(bytes, second, 1, rule.at)[rule.at - 1];
  const count = keyCount(digits, framer.argumentCount - rule.at - 1);
  // No keys: they may be in ARGV.
  if (digits === undefined || count === null || count === 0) return null;
  return takeArguments(bytes, afterArgument(bytes, digits), rule.at + 1, rule.at + count);
}

function inlineCommand(bytes: Buffer): Command {
  const name = splitInline(bytes)?.[0]?.value;
  return name === undefined ? NO_COMMAND : commandAt(name, 0, name.length);
}

function readAll(framer: RequestFramer, bytes: Buffer, command: Command): ReadRequest {
  const words = framer.inline ? (splitInline(bytes) ?? []).map((word) => word.value) : walkArguments(bytes);
  // Of a frame that was cut the last argument may be short: a key or a name that is none.
  if (framer.cut) words.pop();
  return {
    command,
    keys: keysOf(command.name, words),
    args: words.slice(1),
    redactedBytes: command.sensitive ? blanked(command.name, words) : 0,
  };
}

/** Bytes of secrets that stand blanked in a request: asterisks throughout. */
function blanked(command: string, words: readonly Buffer[]): number {
  const secrets = secretArguments(command, words).map((index) => words[index]);
  return secrets.reduce((sum, secret) => sum + (secret?.every((byte) => byte === 42) ? secret.length : 0), 0);
}
