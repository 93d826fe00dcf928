/** A layer's options: checked once when it is made, so that what makes no sense is said then, not at the first message. */
import { GaptraceError } from '../../terminal/errors.js';
import type { LayerNotice, LayerOptions } from './layer.js';

export interface LayerSettings {
  readonly capacity: number;
  readonly expiry: number;
  readonly groupExpiry: number;
  readonly prefix: string;
  capacityOf(channel: string): number;
  notice(notice: LayerNotice): void;
}

/** The options with what is not told filled in. Throws GAPTRACE_LAYER_OPTION on what makes no sense. */
export function layerSettings(options: LayerOptions): LayerSettings {
  const capacity = wholeNumber('capacity', options.capacity ?? 100, 'messages');
  const capacities = (options.channelCapacity ?? []).map(([pattern, limit]) => ({
    matches: matcherOf(pattern),
    limit: wholeNumber(`channelCapacity of ${String(pattern)}`, limit, 'messages'),
  }));
  return {
    capacity,
    expiry: wholeNumber('expiry', options.expiry ?? 60, 'seconds'),
    groupExpiry: wholeNumber('groupExpiry', options.groupExpiry ?? 86_400, 'seconds'),
    prefix: prefixOf(options.prefix ?? 'asgi'),
    capacityOf: (channel) => capacities.find(({ matches }) => matches(channel))?.limit ?? capacity,
    notice: options.onNotice ?? (() => {}),
  };
}

/** GAPTRACE_LAYER_OPTION: the option, what it was told, and what it takes. */
export function optionError(option: string, value: unknown, takes: string): GaptraceError {
  const shown = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return new GaptraceError(
    'GAPTRACE_LAYER_OPTION',
    `channel layer: ${option} is ${shown}; it takes ${takes}`,
  );
}

/** Redis counts TTLs and lengths in 64 bits; a JavaScript number is exact to 2^53, which is far enough. */
function wholeNumber(option: string, value: number, unit: string): number {
  if (!Number.isSafeInteger(value) || value < 1)
    throw optionError(option, value, `a whole number of ${unit}, 1 or more`);
  return value;
}

function prefixOf(prefix: string): string {
  if (typeof prefix !== 'string' || !/^[!-~]+$/.test(prefix))
    throw optionError('prefix', prefix, 'one or more ASCII characters, and no space among them');
  return prefix;
}

function matcherOf(pattern: string | RegExp): (channel: string) => boolean {
  if (typeof pattern !== 'string' && !(pattern instanceof RegExp))
    throw optionError('channelCapacity', pattern, 'pairs of a glob or a RegExp, and a capacity');
  // Sticky at 0: Python's `match` begins where the name does.
  const flags = typeof pattern === 'string' ? 'sy' : `${pattern.flags.replace(/[gy]/g, '')}y`;
  const regex = new RegExp(typeof pattern === 'string' ? globSource(pattern) : pattern.source, flags);
  return (channel) => {
    regex.lastIndex = 0;
    return regex.test(channel);
  };
}

/**
 * A glob as Python's fnmatch reads it: `*` any text, `?` one character, `[seq]` one of these, `[!seq]` one but these; a `[` that
 * is never closed is itself, and a `]` that comes first in a sequence is one of it.
 */
function globSource(glob: string): string {
  let source = '';
  for (let at = 0; at < glob.length; at++) {
    const character = glob.charAt(at);
    const sequence = character === '[' ? /^\[(!?)(\]?[^\]]*)\]/.exec(glob.slice(at)) : null;
    if (character === '*') source += '.*';
    else if (character === '?') source += '.';
    else if (sequence !== null && sequence[2] !== '') {
      source += `[${sequence[1] === '!' ? '^' : ''}${(sequence[2] ?? '').replace(/[\\\][^]/g, '\\$&')}]`;
      at += sequence[0].length - 1;
    } else source += character.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
  }
  return `${source}$`;
}
