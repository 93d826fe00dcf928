/**
 * A trace file as the rows that analysis/ works from. Each call is one SELECT, and so one consistent snapshot, also
 * while a proxy goes on writing; `snapshot` makes one of several. Arguments and replies are decoded when somebody looks at them.
 */
import type Database from 'better-sqlite3';
import { GaptraceError, messageOf } from '../../terminal/errors.js';
import { decodeReplies, UndecodableReply } from '../wire/decode-reply.js';
import { decodeRequest } from '../wire/decode-request.js';
import { explained } from './explained.js';
import { globMatcher } from './glob.js';
import { isBeingWritten } from './lock.js';
import { hasSqliteCode } from './sqlite-errors.js';
import type {
  OperationFilter,
  Reply,
  ReplyKind,
  Trace,
  TraceConnection,
  TraceHole,
  TraceOperation,
  TraceSample,
} from './trace.js';

export class SqliteTrace implements Trace {
  readonly path: string;
  readonly #database: Database.Database;

  /** Takes the database over, and closes it with `close`. */
  constructor(path: string, database: Database.Database) {
    this.path = path;
    this.#database = database;
  }

  get meta(): ReadonlyMap<string, string> {
    return this.#guard(
      () => new Map(this.#database.prepare<[], [string, string]>('SELECT key, value FROM meta').raw().all()),
    );
  }

  get startedUnixUs(): number {
    return Number(this.#metaValue('started_unix_us') ?? 0);
  }

  get watermarkUs(): number {
    return Number(this.#metaValue('watermark_us') ?? 0);
  }

  get live(): boolean {
    return this.#metaValue('ended') === undefined && isBeingWritten(this.path);
  }

  get endMarker(): boolean {
    return this.#metaValue('ended') === 'clean';
  }

  *operations(filter: OperationFilter = {}): IterableIterator<TraceOperation> {
    const { where, values } = this.#guard(() => this.#conditions(filter));
    const sql = `${OPERATIONS} ${where === '' ? '' : `WHERE ${where}`} ORDER BY o.id`;
    yield* this.#rows<OperationRow, TraceOperation>(sql, values, (row) => new RecordedOperation(row));
  }

  operation(id: number): TraceOperation | undefined {
    return this.#guard(() => {
      const row = this.#database.prepare<[number], OperationRow>(`${OPERATIONS} WHERE o.id = ?`).get(id);
      return row === undefined ? undefined : new RecordedOperation(row);
    });
  }

  operationCount(): number {
    return this.#guard(
      () => this.#database.prepare('SELECT count(*) FROM operation').pluck().get() as number,
    );
  }

  *connections(): IterableIterator<TraceConnection> {
    yield* this.#rows<ConnectionRow, TraceConnection>(`${CONNECTIONS} ORDER BY id`, [], connectionOf);
  }

  connection(id: number): TraceConnection | undefined {
    return this.#guard(() => {
      const row = this.#database.prepare<[number], ConnectionRow>(`${CONNECTIONS} WHERE id = ?`).get(id);
      return row === undefined ? undefined : connectionOf(row);
    });
  }

  *holes(): IterableIterator<TraceHole> {
    yield* this.#rows<TraceHole, TraceHole>(`${HOLES} ORDER BY from_us, id`, [], (row) => row);
  }

  *samples(): IterableIterator<TraceSample> {
    yield* this.#rows<TraceSample, TraceSample>(
      'SELECT at_us AS atUs, field, value FROM redis_sample ORDER BY at_us, field',
      [],
      (row) => row,
    );
  }

  *sql(statement: string): IterableIterator<Readonly<Record<string, unknown>>> {
    const prepared = this.#prepareReadOnly(statement);
    try {
      yield* prepared.iterate() as IterableIterator<Readonly<Record<string, unknown>>>;
    } catch (error) {
      throw refusedSql(error);
    }
  }

  snapshot<T>(read: () => T): T {
    return this.#guard(() => this.#database.transaction(read)());
  }

  close(): void {
    this.#database.close();
  }

  #metaValue(key: string): string | undefined {
    return this.#guard(
      () =>
        this.#database.prepare('SELECT value FROM meta WHERE key = ?').pluck().get(key) as string | undefined,
    );
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw explained(error, this.path);
    }
  }

  *#rows<Row, Value>(
    sql: string,
    values: readonly unknown[],
    make: (row: Row) => Value,
  ): IterableIterator<Value> {
    try {
      const statement = this.#database.prepare<unknown[], Row>(sql);
      for (const row of statement.iterate(...values)) yield make(row);
    } catch (error) {
      throw explained(error, this.path);
    }
  }

  #prepareReadOnly(sql: string): Database.Statement {
    // `readonly` alone is not enough: SQLite counts ATTACH and some PRAGMAs that change things as read-only.
    const word = /^(?:\s|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/|;)*([a-z]*)/i.exec(sql)?.[1]?.toUpperCase() ?? '';
    if (!READING.has(word)) throw refusedSql('only SELECT, VALUES, WITH and EXPLAIN are allowed');
    let prepared: Database.Statement;
    try {
      prepared = this.#database.prepare(sql);
    } catch (error) {
      throw refusedSql(error);
    }
    if (!prepared.readonly || !prepared.reader) throw refusedSql('it would write');
    return prepared;
  }

  #conditions(filter: OperationFilter): { where: string; values: unknown[] } {
    const terms: string[] = [];
    const values: unknown[] = [];
    const add = (term: string, ...bound: unknown[]): void => {
      terms.push(term);
      values.push(...bound);
    };
    if (filter.commands !== undefined)
      add(
        'o.command IN (SELECT id FROM command WHERE name IN (SELECT value FROM json_each(?)))',
        JSON.stringify(filter.commands),
      );
    if (filter.key !== undefined)
      add(
        'o.id IN (SELECT operation FROM operation_key WHERE key IN (SELECT value FROM json_each(?)))',
        JSON.stringify(this.#keyIds(filter.key)),
      );
    if (filter.connection !== undefined) add('o.connection = ?', filter.connection);
    if (filter.sinceUs !== undefined) add('o.requested_us >= ?', filter.sinceUs);
    if (filter.untilUs !== undefined) add('o.requested_us < ?', filter.untilUs);
    if (filter.afterId !== undefined) add('o.id > ?', filter.afterId);
    if (filter.text !== undefined) {
      const bytes = Buffer.from(filter.text, 'utf8');
      add("(instr(o.request, ?) > 0 OR instr(ifnull(o.reply, x''), ?) > 0)", bytes, bytes);
    }
    return { where: terms.join(' AND '), values };
  }

  /** Rows of the keys that a glob matches. SQLite's own GLOB sorts text out where it means the same as Redis'. */
  #keyIds(glob: string): number[] {
    const names = glob.includes('\\')
      ? this.#database.prepare<[], KeyRow>('SELECT id, name FROM key').iterate()
      : this.#database
          .prepare<[string], KeyRow>("SELECT id, name FROM key WHERE typeof(name) = 'blob' OR name GLOB ?")
          .iterate(glob);
    const matchesText = globMatcher(glob);
    const matchesBytes = globMatcher(Buffer.from(glob, 'utf8').toString('latin1'));
    const ids: number[] = [];
    for (const { id, name } of names)
      if (typeof name === 'string' ? matchesText(name) : matchesBytes(name.toString('latin1'))) ids.push(id);
    return ids;
  }
}

const READING: ReadonlySet<string> = new Set(['SELECT', 'VALUES', 'WITH', 'EXPLAIN']);

function refusedSql(error: unknown): unknown {
  if (typeof error !== 'string' && !hasSqliteCode(error, 'SQLITE') && !(error instanceof RangeError))
    return error;
  const reason = typeof error === 'string' ? error : messageOf(error);
  return new GaptraceError('GAPTRACE_SQL', `that SQL cannot be run here: ${reason}`);
}

const OPERATIONS = `SELECT o.id, o.connection, o.sequence, c.name AS command, o.requested_us AS requestedUs,
  o.replied_us AS repliedUs, o.flushed_us AS flushedUs, o.owed, o.pipelined, o.transaction_id AS "transaction",
  o.reply_kind AS replyKind, o.request, o.request_length AS requestLength, o.reply, o.reply_length AS replyLength
  FROM operation o JOIN command c ON c.id = o.command`;

const CONNECTIONS = `SELECT id, opened_us AS openedUs, closed_us AS closedUs, closed_by AS closedBy,
  closed_how AS closedHow, closed_detail AS closedDetail, ended_us AS endedUs, client_address AS clientAddress,
  upstream_address AS upstreamAddress, resp_version AS respVersion, client_name AS clientName,
  library_name AS libraryName, library_version AS libraryVersion, bytes_from_client AS bytesFromClient,
  bytes_from_redis AS bytesFromRedis, unflushed_to_client AS unflushedToClient,
  unflushed_to_redis AS unflushedToRedis FROM connection`;

const HOLES = `SELECT id, connection, direction, from_us AS fromUs, to_us AS toUs, byte_offset AS byteOffset, bytes,
  reason, detail FROM hole`;

interface KeyRow {
  readonly id: number;
  readonly name: string | Buffer;
}

type ConnectionRow = TraceConnection;

function connectionOf(row: ConnectionRow): TraceConnection {
  return row;
}

interface OperationRow {
  readonly id: number;
  readonly connection: number;
  readonly sequence: number;
  readonly command: string;
  readonly requestedUs: number;
  readonly repliedUs: number | null;
  readonly flushedUs: number | null;
  readonly owed: number;
  readonly pipelined: number;
  readonly transaction: number | null;
  readonly replyKind: ReplyKind | 'none' | null;
  readonly request: Buffer;
  readonly requestLength: number;
  readonly reply: Buffer | null;
  readonly replyLength: number;
}

class RecordedOperation implements TraceOperation {
  readonly id: number;
  readonly connection: number;
  readonly sequence: number;
  readonly command: string;
  readonly requestedUs: number;
  readonly repliedUs: number | null;
  readonly flushedUs: number | null;
  readonly owed: number;
  readonly pipelined: boolean;
  readonly transaction: number | null;
  readonly replyKind: ReplyKind | 'none' | null;
  readonly requestLength: number;
  readonly replyLength: number;
  readonly requestCut: boolean;
  readonly replyCut: boolean;
  readonly #request: Buffer;
  readonly #replyBytes: Buffer | null;
  #args: readonly Buffer[] | null = null;
  #reply: Reply | null | undefined;

  constructor(row: OperationRow) {
    this.id = row.id;
    this.connection = row.connection;
    this.sequence = row.sequence;
    this.command = row.command;
    this.requestedUs = row.requestedUs;
    this.repliedUs = row.repliedUs;
    this.flushedUs = row.flushedUs;
    this.owed = row.owed;
    this.pipelined = row.pipelined !== 0;
    this.transaction = row.transaction;
    this.replyKind = row.replyKind;
    this.requestLength = row.requestLength;
    this.replyLength = row.replyLength;
    this.requestCut = row.requestLength > row.request.length;
    this.replyCut = row.replyLength > (row.reply?.length ?? 0);
    this.#request = row.request;
    this.#replyBytes = row.reply;
  }

  get args(): readonly Buffer[] {
    this.#args ??= decodeRequest(this.#request, this.requestCut);
    return this.#args;
  }

  /** Of several confirmations (SUBSCRIBE a b) the first. */
  get reply(): Reply | null {
    if (this.#reply === undefined)
      this.#reply = this.#replyBytes === null || this.replyCut ? null : firstReply(this.#replyBytes);
    return this.#reply;
  }
}

function firstReply(bytes: Buffer): Reply | null {
  try {
    return decodeReplies(bytes)[0] ?? null;
  } catch (error) {
    if (error instanceof UndecodableReply) return null;
    throw error;
  }
}
