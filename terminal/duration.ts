/**
 * Durations as people type them: `2ms`, `1.5s`, `5m`. Inside gaptrace a duration is a whole number of microseconds.
 */
import { GaptraceError } from './errors.js';

const UNITS_US: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1_000,
  s: 1_000_000,
  m: 60_000_000,
  h: 3_600_000_000,
};

/** `2ms` -> 2000. A bare `0` is a duration too; any other number needs its unit. Throws GAPTRACE_DURATION. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(us|ms|s|m|h)$/.exec(text.trim());
  if (match === null) {
    if (text.trim() === '0') return 0;
    throw new GaptraceError(
      'GAPTRACE_DURATION',
      `'${text}' is not a duration: give a number and a unit (us, ms, s, m, h), such as 2ms or 5m`,
    );
  }
  return Math.round(Number(match[1]) * (UNITS_US[match[2] ?? ''] ?? 0));
}

/** 2000 -> `2ms`; 1500 -> `1.5ms`: the largest unit in which the number is at least 1, two decimals at most. */
export function formatDuration(us: number): string {
  for (const unit of ['h', 'm', 's', 'ms']) {
    const size = UNITS_US[unit] ?? 1;
    if (us >= size) return `${Number((us / size).toFixed(2))}${unit}`;
  }
  return us === 0 ? '0' : `${us}us`;
}
