/**
 * The log of a program that runs for long: lines on stderr, written at once. For people by default
 * (`12:03:04.123 warn  text`); `GAPTRACE_LOG_FORMAT=json` gives pino's NDJSON, `GAPTRACE_LOG_LEVEL` sets the level.
 */
import { type Logger, pino } from 'pino';

export type Log = Pick<Logger, 'info' | 'warn' | 'error'>;

const NAMES: Readonly<Record<number, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
};
const LEVELS = Object.values(NAMES);

export function createLog(
  write: (text: string) => unknown = (text) => process.stderr.write(text),
  env: Readonly<Record<string, string | undefined>> = process.env,
): Log {
  const wanted = env.GAPTRACE_LOG_LEVEL ?? '';
  const json = env.GAPTRACE_LOG_FORMAT === 'json';
  const options = { level: LEVELS.includes(wanted) ? wanted : 'info', base: null };
  return pino(options, { write: (line: string) => write(json ? line : forPeople(line)) });
}

function forPeople(line: string): string {
  const { time, level, msg } = JSON.parse(line) as { time: number; level: number; msg?: string };
  const clock = new Date(time).toISOString().slice(11, 23);
  return `${clock} ${(NAMES[level] ?? String(level)).padEnd(5)} ${msg ?? ''}\n`;
}
