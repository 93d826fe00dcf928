/**
 * The index of a trace's messages, kept beside it as `<trace>-messages`, so that the next question need not read the whole trace. Derived: it
 * can be removed at any time, and is made anew where it does not fit the trace or the question. Where the trace has grown, it is
 * extended. It says when who spoke to whom, so nobody else may read it (0600).
 *
 * Of a trace that is being written, operations without a reply may get one yet. So what is kept ends before the first of these; what follows is
 * surveyed again for each question.
 */
import { closeSync, openSync, rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import { hasCode, hasSqliteCode } from '../../proxy/trace/sqlite-errors.js';
import type { Trace } from '../../proxy/trace/trace.js';
import type { PayloadFields } from '../payload.js';
import { type QueueFacts, SURVEYED, Survey, type SurveySink, type SurveyState } from './survey.js';
import { SurveyedIndex, type SurveyIndex } from './survey-index.js';

/** Raised when what is kept changes its meaning: an older one is made anew. */
const FORMAT = '1';

/** How long another program that writes it is waited for. */
const WAIT_MS = 600_000;

const SCHEMA = `
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE message (sender TEXT NOT NULL, count INTEGER NOT NULL, operation INTEGER NOT NULL, published INTEGER NOT NULL,
  PRIMARY KEY (sender, count, operation)) WITHOUT ROWID;
CREATE TABLE member (operation INTEGER NOT NULL, channel TEXT NOT NULL, PRIMARY KEY (operation, channel)) WITHOUT ROWID;
CREATE INDEX member_channel ON member (channel, operation);
CREATE TABLE everywhere (operation INTEGER PRIMARY KEY);
CREATE TABLE queue (name TEXT PRIMARY KEY, facts TEXT NOT NULL) WITHOUT ROWID;
`;

/** Called now and then while a trace is read: how far it is, of how much. */
export type Progress = (done: number, of: number) => void;

export class StoredIndex implements SurveyIndex {
  readonly #database: Database.Database;
  /** What came after what is kept. */
  #tail: SurveyedIndex | null = null;

  private constructor(database: Database.Database) {
    this.#database = database;
  }

  /** Opens the index of a trace in a file, made or brought up to date; where nothing can be written beside the trace, one that is made for now. */
  static open(trace: Trace, fields: PayloadFields, progress: Progress = () => {}): StoredIndex {
    let database = openBeside(trace);
    try {
      bringUpToDate(database, trace, fields, progress);
    } catch (error) {
      database.close();
      if (hasSqliteCode(error, 'SQLITE_CORRUPT', 'SQLITE_NOTADB')) rmSync(fileOf(trace));
      else if (!hasSqliteCode(error, ...UNWRITABLE)) throw error;
      database = hasSqliteCode(error, ...UNWRITABLE) ? openTemporary() : openBeside(trace);
      bringUpToDate(database, trace, fields, progress);
    }
    return new StoredIndex(database);
  }

  /** Surveys what is not kept. To be called in the snapshot of the trace in which questions are asked, before the first. */
  survey(trace: Trace, fields: PayloadFields): void {
    const afterId = lastIdOf(this.#database);
    const state = afterId < lastIdIn(trace) ? stateOf(this.#database) : undefined;
    this.#tail = new SurveyedIndex(trace, fields, { afterId, state });
  }

  /** How many operations the trace has, known without counting all. */
  operationCount(trace: Trace): number {
    return Number(said(this.#database, 'operations')) + trace.operationCount(lastIdOf(this.#database));
  }

  find(sender: string, count: number) {
    const rows = this.#database
      .prepare<[string, number], { operation: number; published: number }>(
        'SELECT operation, published FROM message WHERE sender = ? AND count = ? ORDER BY operation',
      )
      .all(sender, count);
    const kept = rows.map(({ operation, published }) => ({ operation, published: published !== 0 }));
    return [...kept, ...this.#later.find(sender, count)];
  }

  membersOf(channels: Iterable<string>): number[] {
    const names = [...channels];
    const kept = this.#database
      .prepare<[string], number>(
        'SELECT DISTINCT operation FROM member WHERE channel IN (SELECT value FROM json_each(?)) ORDER BY operation',
      )
      .pluck()
      .all(JSON.stringify(names));
    return [...kept, ...this.#later.membersOf(names)];
  }

  channelsBetween(fromId: number, beforeId: number): string[] {
    const kept = this.#database
      .prepare<[number, number], string>(
        'SELECT DISTINCT channel FROM member WHERE operation >= ? AND operation < ?',
      )
      .pluck()
      .all(fromId, beforeId);
    return [...new Set([...kept, ...this.#later.channelsBetween(fromId, beforeId)])];
  }

  everywhere(): number[] {
    const kept = this.#database
      .prepare<[], number>('SELECT operation FROM everywhere ORDER BY operation')
      .pluck()
      .all();
    return [...kept, ...this.#later.everywhere()];
  }

  queue(name: string): QueueFacts | undefined {
    const later = this.#later.queue(name);
    if (later) return later;
    const facts = this.#database
      .prepare<[string], string>('SELECT facts FROM queue WHERE name = ?')
      .pluck()
      .get(name);
    return facts === undefined ? undefined : (JSON.parse(facts) as QueueFacts);
  }

  close(): void {
    this.#database.close();
  }

  get #later(): SurveyedIndex {
    if (!this.#tail) throw new Error('the index was asked before it had surveyed the end of the trace');
    return this.#tail;
  }
}

/** It cannot be written where it is. */
const UNWRITABLE = ['SQLITE_READONLY', 'SQLITE_CANTOPEN', 'SQLITE_FULL', 'SQLITE_IOERR'];

function fileOf({ path }: Trace): string {
  return `${path}-messages`;
}

function openBeside(trace: Trace): Database.Database {
  try {
    closeSync(openSync(fileOf(trace), 'ax', 0o600));
  } catch (error) {
    if (hasCode(error, 'EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'ENOENT')) return openTemporary();
    if (!hasCode(error, 'EEXIST')) throw error;
  }
  return new Database(fileOf(trace), { timeout: WAIT_MS });
}

/** Where nothing may be written beside the trace: a file of SQLite's own, for one question, that nobody can open. */
function openTemporary(): Database.Database {
  return new Database('');
}

/** So many operations at a time: what is done stays done when somebody loses patience. */
const STEP = 250_000;

function bringUpToDate(
  database: Database.Database,
  trace: Trace,
  fields: PayloadFields,
  progress: Progress,
): void {
  database.pragma('cache_size = -32768');
  const beforeId = settledBefore(trace);
  const step = database.transaction(() => {
    if (!fits(database, trace, fields)) startAnew(database, trace, fields);
    const fromId = lastIdOf(database) + 1;
    if (fromId >= beforeId) return false;
    extend(database, trace, fields, { fromId, beforeId: Math.min(fromId + STEP, beforeId) }, (id) =>
      progress(id, beforeId),
    );
    return true;
  });
  while (step.immediate());
}

/** What an index is of. */
function identityOf(trace: Trace, { sender, count }: PayloadFields): Readonly<Record<string, string>> {
  return {
    format: FORMAT,
    started_unix_us: String(trace.startedUnixUs),
    first_id: String(trace.idAt(Number.NEGATIVE_INFINITY)),
    sender_field: sender,
    count_field: count,
  };
}

function fits(database: Database.Database, trace: Trace, fields: PayloadFields): boolean {
  const tables = database.prepare("SELECT count(*) FROM sqlite_master WHERE name = 'about'").pluck().get();
  if (tables !== 1) return false;
  const about = database.prepare<[string], string>('SELECT value FROM about WHERE key = ?').pluck();
  return (
    Object.entries(identityOf(trace, fields)).every(([key, value]) => about.get(key) === value) &&
    lastIdOf(database) <= lastIdIn(trace)
  );
}

function startAnew(database: Database.Database, trace: Trace, fields: PayloadFields): void {
  const tables = database
    .prepare<[], string>("SELECT name FROM sqlite_master WHERE type = 'table'")
    .pluck()
    .all();
  for (const table of tables) database.exec(`DROP TABLE "${table}"`);
  database.exec(SCHEMA);
  for (const [key, value] of Object.entries(identityOf(trace, fields))) say(database, key, value);
}

/** Up to here nothing changes any more. */
function settledBefore(trace: Trace): number {
  const end = lastIdIn(trace) + 1;
  if (!trace.live) return end;
  const open = new Set(
    [...trace.connections()].flatMap(({ id, closedUs }) => (closedUs === null ? [id] : [])),
  );
  const afterId = trace.idAt(trace.watermarkUs - UNSETTLED_US) - 1;
  for (const { id, connection, repliedUs } of trace.operations({ commands: SURVEYED, afterId }))
    if (repliedUs === null && open.has(connection)) return id;
  return end;
}

function lastIdIn(trace: Trace): number {
  return trace.idAt(Number.POSITIVE_INFINITY) - 1;
}

/** A reply that takes longer is not waited for. */
const UNSETTLED_US = 10_000_000;

const REPORT_EVERY = 4096;

function extend(
  database: Database.Database,
  trace: Trace,
  fields: PayloadFields,
  { fromId, beforeId }: { readonly fromId: number; readonly beforeId: number },
  progress: (id: number) => void,
): void {
  const survey = new Survey(fields, new Writing(database), stateOf(database));
  let read = 0;
  for (const operation of trace.operations({
    commands: SURVEYED,
    afterId: fromId - 1,
    untilId: beforeId - 1,
  })) {
    survey.add(operation);
    if (++read % REPORT_EVERY === 0) progress(operation.id);
  }
  const { state } = survey;
  const queue = database.prepare('INSERT OR REPLACE INTO queue (name, facts) VALUES (?, ?)');
  for (const [name, facts] of state.queues) queue.run(name, JSON.stringify(facts));
  say(database, 'state', JSON.stringify(state));
  const counted = Number(said(database, 'operations') ?? 0);
  say(database, 'operations', String(counted + trace.operationCount(fromId - 1, beforeId - 1)));
  say(database, 'last_id', String(beforeId - 1));
}

function say(database: Database.Database, key: string, value: string): void {
  database.prepare('INSERT OR REPLACE INTO about (key, value) VALUES (?, ?)').run(key, value);
}

function said(database: Database.Database, key: string): string | undefined {
  return database.prepare<[string], string>('SELECT value FROM about WHERE key = ?').pluck().get(key);
}

function stateOf(database: Database.Database): SurveyState | undefined {
  const state = said(database, 'state');
  return state === undefined ? undefined : (JSON.parse(state) as SurveyState);
}

function lastIdOf(database: Database.Database): number {
  return Number(said(database, 'last_id') ?? 0);
}

/** What a survey finds, as rows. */
class Writing implements SurveySink {
  readonly #message: Database.Statement<[string, number, number, number]>;
  readonly #member: Database.Statement<[number, string]>;
  readonly #everywhere: Database.Statement<[number]>;

  constructor(database: Database.Database) {
    this.#message = database.prepare(
      'INSERT OR IGNORE INTO message (sender, count, operation, published) VALUES (?, ?, ?, ?)',
    );
    this.#member = database.prepare('INSERT OR IGNORE INTO member (operation, channel) VALUES (?, ?)');
    this.#everywhere = database.prepare('INSERT OR IGNORE INTO everywhere (operation) VALUES (?)');
  }

  foundMessage(sender: string, count: number, operation: number, published: boolean): void {
    this.#message.run(sender, count, operation, published ? 1 : 0);
  }

  foundMember(channel: string, operation: number): void {
    this.#member.run(operation, channel);
  }

  foundEverywhere(operation: number): void {
    this.#everywhere.run(operation);
  }
}
