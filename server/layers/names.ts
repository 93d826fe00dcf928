/**
 * Names of channels and groups, as the Channels specification allows them: ASCII letters, digits, `-`, `_` and `.`, fewer
 * than 100 of them. A channel with a `!` belongs to one process: what stands before and with the `!` is the queue that its process
 * reads, what follows tells the process's own channels apart.
 *
 * Source: `channel_name_regex`, `group_name_regex` and `valid_channel_name` in channels/layers.py 4.0. Its `\d` and `\w` let
 * letters and digits of other scripts through, and `$` a line feed at the end, which its own error message denies; here they are refused.
 */
import { GaptraceError } from '../../terminal/errors.js';

/** A name is shorter than this. */
export const NAME_LENGTH_LIMIT = 100;

const CHANNEL = /^[a-zA-Z0-9\-_.]+(![a-zA-Z0-9\-_.]*)?$/;
const GROUP = /^[a-zA-Z0-9\-_.]+$/;

/** Throws GAPTRACE_LAYER_NAME when it is not the name of a channel. */
export function checkChannelName(name: string): void {
  check('channel', name, CHANNEL, 'letters, digits, "-", "_", "." and at most one "!"');
}

/** Throws GAPTRACE_LAYER_NAME when it is not the name of a group. */
export function checkGroupName(name: string): void {
  check('group', name, GROUP, 'letters, digits, "-", "_" and "."');
}

/** Does the channel belong to one process? */
export function isProcessChannel(channel: string): boolean {
  return channel.includes('!');
}

/** The queue that a channel's messages go through, without the layer's prefix: up to and with its `!`, or the whole name. */
export function queueNameOf(channel: string): string {
  const mark = channel.indexOf('!');
  return mark < 0 ? channel : channel.slice(0, mark + 1);
}

function check(what: string, name: unknown, pattern: RegExp, allowed: string): void {
  if (typeof name === 'string' && name.length < NAME_LENGTH_LIMIT && pattern.test(name)) return;
  const shown = typeof name === 'string' ? JSON.stringify(name) : String(name);
  throw new GaptraceError(
    'GAPTRACE_LAYER_NAME',
    `${shown} is no name for a ${what}: 1 to ${NAME_LENGTH_LIMIT - 1} of ${allowed} (ASCII)`,
  );
}
