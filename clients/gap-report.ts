/**
 * What clients say they missed: gap reports, and full logs from which the gaps are worked out.
 *
 * Both are NDJSON, one object a line, told apart by `event`; one file may hold both:
 *
 *   {"schema":1,"event":"gap","client":…,"room":…,"sender":…,"expected":5,"received":7,"missing":[5,6],"at":"2026-…Z"}
 *   {"schema":1,"event":"recv","client":…,"room":…,"sender":…,"count":6,"t":12.25}   a message received, in order
 *   {"schema":1,"event":"send","client":…,"room":…,"sender":…,"count":6,"t":12.24}   a message sent
 *   {"schema":1,"event":"start","client":…,"id":…}                                    the client (re)connects; `id` is the sender that it will be
 *
 * (`t` is seconds since the clients' start; a date in `at` does as well.) Other events are passed over. A client that starts again begins a new account: what was sent while it was away it
 * cannot have missed. A gap that a client both reported and logged is kept once. Pure: lines in, values out.
 */
import { GaptraceError, messageOf } from '../terminal/errors.js';
import { type Gap, Ledger } from './ledger.js';

/** When: an ISO date as in a gap report, seconds since the clients' start as in a log, or not said. */
export type ClientTime = string | number | null;

/** Counts that one client missed from one sender. Several clients may report the same ones; each report is kept. */
export interface GapReport {
  readonly client: string;
  readonly room: string;
  readonly sender: string;
  /** The first missing count. */
  readonly expected: number;
  /** The next count that came. */
  readonly received: number;
  readonly missing: readonly number[];
  /** When the client noticed. */
  readonly at: ClientTime;
}

/** A message that a client says it received or sent. */
export interface LoggedMessage {
  readonly client: string;
  readonly room: string;
  readonly sender: string;
  readonly count: number;
  readonly at: ClientTime;
}

export interface ClientLog {
  readonly gaps: readonly GapReport[];
  readonly received: readonly LoggedMessage[];
  readonly sent: readonly LoggedMessage[];
  /** As which senders each client has spoken: the ids of its `start` lines, and the senders of its `send` lines. */
  readonly spokeAs: ReadonlyMap<string, ReadonlySet<string>>;
}

/** A gap wider than this is a broken count, not a gap (at ten messages a second it is a day). */
export const WIDEST_GAP = 1_000_000;

/** Where in the log a count was received. */
interface Moment {
  readonly line: number;
  readonly at: ClientTime;
}

/**
 * Reads a whole file of gap reports or a client log. `source` is its name, for the errors.
 * Throws GaptraceError GAPTRACE_GAPS, which names the line, at the first one that cannot be understood.
 */
export async function readGapReports(
  lines: Iterable<string> | AsyncIterable<string>,
  source = 'gap reports',
): Promise<ClientLog> {
  const reader = new GapReader(source);
  for await (const line of lines) reader.line(line);
  return reader.end();
}

/** A gap report as the line of a file, without the line's end. */
export function gapReportLine(gap: GapReport): string {
  return JSON.stringify({ schema: 1, event: 'gap', ...gap, at: gap.at ?? undefined });
}

/** A message received or sent as the line of a client log, without the line's end. */
export function messageLine(event: 'recv' | 'send', message: LoggedMessage): string {
  const { at, ...what } = message;
  return JSON.stringify({
    schema: 1,
    event,
    ...what,
    ...(typeof at === 'number' ? { t: at } : { at: at ?? undefined }),
  });
}

/** The counts that a gap is made of. */
export function missingOf(gap: { readonly expected: number; readonly received: number }): number[] {
  return Array.from(
    { length: Math.min(gap.received - gap.expected, WIDEST_GAP) },
    (_, i) => gap.expected + i,
  );
}

class GapReader {
  readonly #source: string;
  #line = 0;
  readonly #reported: GapReport[] = [];
  readonly #received: LoggedMessage[] = [];
  readonly #sent: LoggedMessage[] = [];
  readonly #spokeAs = new Map<string, Set<string>>();
  /** One ledger a client and room, and the finished ones of clients that started again. */
  readonly #accounts: { readonly client: string; readonly room: string; readonly ledger: Ledger<Moment> }[] =
    [];
  readonly #open = new Map<string, Map<string, Ledger<Moment>>>();

  constructor(source: string) {
    this.#source = source;
  }

  line(text: string): void {
    this.#line++;
    if (text.trim() === '') return;
    const entry = this.#entry(text);
    switch (entry.word('event')) {
      case 'gap':
        this.#reported.push(this.#gap(entry));
        break;
      case 'recv':
        this.#receive(entry.message());
        break;
      case 'send':
        this.#send(entry.message());
        break;
      case 'start':
        this.#open.delete(entry.word('client'));
        if (entry.has('id')) this.#speaksAs(entry.word('client'), entry.word('id'));
        break;
    }
  }

  #send(message: LoggedMessage): void {
    this.#sent.push(message);
    this.#speaksAs(message.client, message.sender);
  }

  #speaksAs(client: string, sender: string): void {
    const senders = this.#spokeAs.get(client);
    if (senders) senders.add(sender);
    else this.#spokeAs.set(client, new Set([sender]));
  }

  end(): ClientLog {
    const derived = this.#accounts.flatMap(({ client, room, ledger }) =>
      ledger.gaps().map((gap) => this.#report(client, room, gap)),
    );
    const known = new Set(this.#reported.flatMap((gap) => gap.missing.map((count) => idOf(gap, count))));
    const news = derived.filter((gap) => !gap.missing.every((count) => known.has(idOf(gap, count))));
    return {
      gaps: [...this.#reported, ...news],
      received: this.#received,
      sent: this.#sent,
      spokeAs: this.#spokeAs,
    };
  }

  #entry(text: string): Entry {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      throw this.#wrong(`not JSON: ${messageOf(error)}`);
    }
    if (value === null || typeof value !== 'object' || Array.isArray(value))
      throw this.#wrong('not a JSON object');
    const fields = value as Readonly<Record<string, unknown>>;
    if (fields.schema !== undefined && fields.schema !== 1)
      throw this.#wrong(`schema ${JSON.stringify(fields.schema)}: this gaptrace reads schema 1`);
    return new Entry(fields, (problem) => this.#wrong(problem));
  }

  #receive(message: LoggedMessage): void {
    this.#received.push(message);
    const { client, room, sender, count, at } = message;
    const rooms = this.#open.get(client) ?? new Map<string, Ledger<Moment>>();
    this.#open.set(client, rooms);
    let ledger = rooms.get(room);
    if (ledger === undefined) {
      ledger = new Ledger();
      rooms.set(room, ledger);
      this.#accounts.push({ client, room, ledger });
    }
    ledger.receive(sender, count, { line: this.#line, at });
  }

  #gap(entry: Entry): GapReport {
    const expected = entry.count('expected');
    const received = entry.count('received');
    if (received <= expected) throw this.#wrong(`received ${received} is not after expected ${expected}`);
    this.#checkWidth(expected, received, this.#line);
    return {
      client: entry.word('client'),
      room: entry.word('room'),
      sender: entry.word('sender'),
      expected,
      received,
      missing: entry.has('missing') ? entry.counts('missing') : missingOf({ expected, received }),
      at: entry.time('at'),
    };
  }

  #report(client: string, room: string, gap: Gap<Moment>): GapReport {
    const { sender, expected, received, at: moment } = gap;
    this.#checkWidth(expected, received, moment.line);
    return {
      client,
      room,
      sender,
      expected,
      received,
      missing: missingOf({ expected, received }),
      at: moment.at,
    };
  }

  #checkWidth(expected: number, received: number, line: number): void {
    if (received - expected > WIDEST_GAP)
      throw this.#wrong(
        `a gap of ${received - expected} counts; more than ${WIDEST_GAP} is a wrong count, not a gap`,
        line,
      );
  }

  #wrong(problem: string, line = this.#line): GaptraceError {
    return new GaptraceError('GAPTRACE_GAPS', `${this.#source}, line ${line}: ${problem}`);
  }
}

/** The fields of one line; what is absent or of another type is refused with its name. */
class Entry {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #wrong: (problem: string) => GaptraceError;

  constructor(fields: Readonly<Record<string, unknown>>, wrong: (problem: string) => GaptraceError) {
    this.#fields = fields;
    this.#wrong = wrong;
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

  message(): LoggedMessage {
    return {
      client: this.word('client'),
      room: this.word('room'),
      sender: this.word('sender'),
      count: this.count('count'),
      at: this.time(this.has('t') ? 't' : 'at'),
    };
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

function idOf(gap: GapReport, count: number): string {
  return JSON.stringify([gap.client, gap.room, gap.sender, count]);
}
