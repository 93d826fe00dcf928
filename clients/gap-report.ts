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
import { GaptraceError } from '../terminal/errors.js';
import { type Gap, Ledger } from './ledger.js';
import { type ClientTime, LogEntry } from './log-entry.js';

export type { ClientTime } from './log-entry.js';

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
  const reported: GapReport[] = [];
  const received: LoggedMessage[] = [];
  const sent: LoggedMessage[] = [];
  for await (const line of lines) {
    const said = reader.line(line);
    if (said.event === 'gap') reported.push(said.gap);
    if (said.event === 'recv') received.push(said.message);
    if (said.event === 'send') sent.push(said.message);
  }
  const known = new Set(reported.flatMap((gap) => gap.missing.map((count) => idOf(gap, count))));
  const news = reader.gaps().filter((gap) => !gap.missing.every((count) => known.has(idOf(gap, count))));
  return { gaps: [...reported, ...news], received, sent, spokeAs: reader.spokeAs };
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

/** What a line says; other events say nothing. */
export type LogLine =
  | { readonly event: 'gap'; readonly gap: GapReport }
  /** `gaps`: counts that are seen to be missing with this one; they may be late only. */
  | { readonly event: 'recv'; readonly message: LoggedMessage; readonly gaps: readonly GapReport[] }
  | { readonly event: 'send'; readonly message: LoggedMessage }
  | { readonly event: 'other' };

/** What one client received in one room, since it started. */
interface Account {
  readonly client: string;
  readonly room: string;
  readonly ledger: Ledger<Moment>;
}

/** Reads gap reports and client logs line by line, as they come: a file that grows has no end to wait for. */
export class GapReader {
  readonly #source: string;
  #line = 0;
  /** Those that are open, and those of clients that started again where something was missing. */
  readonly #accounts = new Set<Account>();
  /** By client, then by room. */
  readonly #open = new Map<string, Map<string, Account>>();
  readonly #spokeAs = new Map<string, Set<string>>();

  /** `source` is the file's name, for the errors. */
  constructor(source: string) {
    this.#source = source;
  }

  /** Throws GaptraceError GAPTRACE_GAPS, which names the line, where it cannot be understood. */
  line(text: string): LogLine {
    this.#line++;
    if (text.trim() === '') return { event: 'other' };
    const entry = LogEntry.parse(text, (problem) => this.#wrong(problem));
    switch (entry.word('event')) {
      case 'gap':
        return { event: 'gap', gap: this.#gap(entry) };
      case 'recv': {
        const message = loggedMessage(entry);
        return { event: 'recv', message, gaps: this.#receive(message) };
      }
      case 'send':
        return { event: 'send', message: this.#send(loggedMessage(entry)) };
      case 'start':
        this.#start(entry.word('client'));
        if (entry.has('id')) this.#speaksAs(entry.word('client'), entry.word('id'));
    }
    return { event: 'other' };
  }

  /** The gaps that are open by what was received up to now. */
  gaps(): GapReport[] {
    return [...this.#accounts].flatMap((account) =>
      account.ledger.gaps().map((gap) => this.#report(account, gap)),
    );
  }

  /** As which senders each client has spoken up to now. */
  get spokeAs(): ReadonlyMap<string, ReadonlySet<string>> {
    return this.#spokeAs;
  }

  #send(message: LoggedMessage): LoggedMessage {
    this.#speaksAs(message.client, message.sender);
    return message;
  }

  #speaksAs(client: string, sender: string): void {
    const senders = this.#spokeAs.get(client);
    if (senders) senders.add(sender);
    else this.#spokeAs.set(client, new Set([sender]));
  }

  #start(client: string): void {
    for (const account of this.#open.get(client)?.values() ?? [])
      if (account.ledger.gaps().length === 0) this.#accounts.delete(account);
    this.#open.delete(client);
  }

  #receive(message: LoggedMessage): GapReport[] {
    const { client, room, sender, count, at } = message;
    const rooms = this.#open.get(client) ?? new Map<string, Account>();
    this.#open.set(client, rooms);
    let account = rooms.get(room);
    if (account === undefined) {
      account = { client, room, ledger: new Ledger() };
      rooms.set(room, account);
      this.#accounts.add(account);
    }
    const { ledger } = account;
    const arrival = ledger.receive(sender, count, { line: this.#line, at });
    const opened =
      // What the repeated counts of a sender that started again seemed to close is open after all.
      arrival.kind === 'gap' ? [arrival.gap] : arrival.kind === 'restart' ? ledger.gaps(sender) : [];
    return opened.map((gap) => this.#report({ client, room }, gap));
  }

  #gap(entry: LogEntry): GapReport {
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

  #report({ client, room }: Pick<Account, 'client' | 'room'>, gap: Gap<Moment>): GapReport {
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

function loggedMessage(entry: LogEntry): LoggedMessage {
  return {
    client: entry.word('client'),
    room: entry.word('room'),
    sender: entry.word('sender'),
    count: entry.count('count'),
    at: entry.time(entry.has('t') ? 't' : 'at'),
  };
}

function idOf(gap: GapReport, count: number): string {
  return JSON.stringify([gap.client, gap.room, gap.sender, count]);
}
