/**
 * Sizes as people type them: `512`, `64KB`, `64MB`. Units are powers of 1024, as in redis.conf, whatever the case.
 */
import { GaptraceError } from './errors.js';

const UNITS = ['', 'k', 'm', 'g'];

/** `64MB` -> 67108864. Throws GAPTRACE_SIZE. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(?:([kmg])(?:i?b)?|b)?$/.exec(text.trim().toLowerCase());
  if (match === null)
    throw new GaptraceError(
      'GAPTRACE_SIZE',
      `'${text}' is not a size: give bytes, or a number and a unit (KB, MB, GB), such as 64MB`,
    );
  return Math.round(Number(match[1]) * 1024 ** UNITS.indexOf(match[2] ?? ''));
}

/** 67108864 -> `64 MB`; under 1 KB, `512 bytes`. One decimal at most. */
export function formatSize(bytes: number): string {
  for (const unit of ['g', 'm', 'k']) {
    const size = 1024 ** UNITS.indexOf(unit);
    if (bytes >= size) return `${Number((bytes / size).toFixed(1))} ${unit.toUpperCase()}B`;
  }
  return bytes === 1 ? '1 byte' : `${bytes} bytes`;
}
