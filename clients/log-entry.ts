/**
 * One line of what clients write down (gap reports, client logs): a JSON object, whose fields are asked for by name and type.
 * What is absent or of another type is refused, with its name.
 */
import { type GaptraceError, messageOf } from '../terminal/errors.js';

/** When: an ISO date as in a gap report, seconds since the clients' start as in a log, or not said. */
export type ClientTime = string | number | null;

export class LogEntry {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #wrong: (problem: string) => GaptraceError;

  private constructor(fields: Readonly<Record<string, unknown>>, wrong: (problem: string) => GaptraceError) {
    this.#fields = fields;
    this.#wrong = wrong;
  }

  /** `wrong` makes the error of a problem: it knows the file and the line. */
  static parse(text: string, wrong: (problem: string) => GaptraceError): LogEntry {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw wrong(`not JSON: ${messageOf(error)}`);
    }
    if (value === null || typeof value !== 'object' || Array.isArray(value)) throw wrong('not a JSON object');
    const fields = value as Readonly<Record<string, unknown>>;
    if (fields.schema !== undefined && fields.schema !== 1)
      throw wrong(`schema ${JSON.stringify(fields.schema)}: this gaptrace reads schema 1`);
    return new LogEntry(fields, wrong);
  }

  has(name: string): boolean {
    return this.#fields[name] !== undefined;
  }

  word(name: string): string {
    const value = this.#fields[name];
    if (typeof value !== 'string') throw this.#missing(name, 'a string');
    return value;
  }

  count(name: string): number {
    const value = this.#fields[name];
    if (!isCount(value)) throw this.#missing(name, 'a whole number from 0');
    return value;
  }

  counts(name: string): number[] {
    const value = this.#fields[name];
    if (!Array.isArray(value) || value.length === 0 || !value.every(isCount))
      throw this.#missing(name, 'a list of whole numbers from 0');
    return value;
  }

  time(name: string): ClientTime {
    const value = this.#fields[name] ?? null;
    if (value === null || typeof value === 'number') return value;
    if (typeof value === 'string' && !Number.isNaN(Date.parse(value))) return value;
    throw this.#missing(name, 'an ISO date or a number of seconds');
  }

  #missing(name: string, wanted: string): GaptraceError {
    const value = this.#fields[name];
    const found = value === undefined ? 'absent' : JSON.stringify(value).slice(0, 40);
    return this.#wrong(`"${name}" is ${found}; wanted is ${wanted}`);
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
