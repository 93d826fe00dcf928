/**
 * A trace file as the rows that analysis/ works from. Each call sees one state of the trace, also while a proxy goes on
 * writing; `snapshot` makes one of several. Arguments and replies are decoded when somebody looks at them.
 */
import { availableParallelism } from 'node:os';
import type Database from 'better-sqlite3';
import { GaptraceError, messageOf } from '../../terminal/errors.js';
import { explained } from './explained.js';
import { globMatcher } from './glob.js';
import { inBatches, keyedIds } from './keyed-ids.js';
import { isBeingWritten } from './lock.js';
import { type Condition, OperationBatches } from './operation-batches.js';
import { CommandNames, USES, type UseRow, useOf } from './recorded-operation.js';
import { PUSHES, type PushRow, RecordedPush } from './recorded-push.js';
import { hasSqliteCode } from './sqlite-errors.js';
import type {
  OnRead,
  OperationFilter,
  PushKind,
  Trace,
  TraceConnection,
  TraceHole,
  TraceOperation,
  TracePush,
  TraceSample,
  TraceUse,
} from './trace.js';

const TOLD_EVERY = 4096;
/** So many operations are read by a second thread: half a second of work. */
const AHEAD_FROM = 100_000;

export class SqliteTrace implements Trace {
  readonly path: string;
  readonly #database: Database.Database;
  readonly #commands = new CommandNames(() =>
    this.#database.prepare<[], [number, string]>('SELECT id, name FROM command').raw().all(),
  );

  readonly #batches: OperationBatches;
  readonly #onRead: OnRead | undefined;

  /** Takes the database over, and closes it with `close`. */
  constructor(path: string, database: Database.Database, onRead?: OnRead) {
    this.path = path;
    this.#database = database;
    this.#batches = new OperationBatches(database, this.#commands, (ids) => this.#readsAhead(ids));
    this.#onRead = onRead;
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
    const { key, ids, afterId = 0, untilId = Number.MAX_SAFE_INTEGER } = filter;
    const state = this.#guard(() => this.#heldState());
    try {
      const condition = this.#condition(filter);
      const wanted = key === undefined ? ids : keyedIds(this.#database, this.#keyIds(key), afterId);
      if (wanted !== undefined) {
        // In batches that grow, so that the first come at once.
        yield* this.#batches.among(inBatches(within(wanted, afterId, untilId)), condition);
        return;
      }
      let read = 0;
      for (const operation of this.#batches.between(afterId, untilId, condition)) {
        if (++read % TOLD_EVERY === 0) this.#onRead?.(read);
        yield operation;
      }
    } catch (error) {
      throw explained(error, this.path);
    } finally {
      state.return?.();
    }
  }

  /** Of a trace that is being written, another thread might see another state. */
  #readsAhead(ids: number): boolean {
    return ids >= AHEAD_FROM && availableParallelism() > 1 && this.#metaValue('ended') !== undefined;
  }

  /** Until it is returned, whatever is read sees one state of the trace. */
  #heldState(): IterableIterator<unknown> {
    const rows = this.#database.prepare('SELECT key FROM meta').iterate();
    rows.next();
    return rows;
  }

  *uses(): IterableIterator<TraceUse> {
    yield* this.#arrays<UseRow, TraceUse>(USES, [], (row) => useOf(row, this.#commands));
  }

  operation(id: number): TraceOperation | undefined {
    return this.#guard(() => this.#batches.one(id));
  }

  operationCount(afterId = 0, untilId = Number.MAX_SAFE_INTEGER): number {
    const sql = 'SELECT count(*) FROM operation WHERE id > ? AND id <= ?';
    return this.#guard(() => this.#database.prepare(sql).pluck().get(afterId, untilId) as number);
  }

  *operationIds(keys: readonly string[], fromId: number, beforeId: number): IterableIterator<number> {
    try {
      const keyId = this.#database.prepare<[string], number>('SELECT id FROM key WHERE name = ?').pluck();
      const known = keys.flatMap((key) => keyId.get(key) ?? []);
      yield* within(keyedIds(this.#database, known, fromId - 1), fromId - 1, beforeId - 1);
    } catch (error) {
      throw explained(error, this.path);
    }
  }

  idAt(us: number): number {
    return this.#guard(() => {
      const { firstId, lastId } = this.#batches.ends();
      const from = this.#database
        .prepare<[number], [number, number]>(
          'SELECT id, requested_us FROM operation WHERE id >= ? ORDER BY id LIMIT 1',
        )
        .raw();
      let [low, high] = [firstId, lastId + 1];
      while (low < high) {
        const middle = Math.floor((low + high) / 2);
        const [id, requestedUs] = from.get(middle) ?? [high, us];
        if (requestedUs < us) low = id + 1;
        else high = middle;
      }
      return low;
    });
  }

  *pushes(kinds?: readonly PushKind[]): IterableIterator<TracePush> {
    const where = kinds === undefined ? '' : 'WHERE kind IN (SELECT value FROM json_each(?))';
    const values = kinds === undefined ? [] : [JSON.stringify(kinds)];
    yield* this.#rows<PushRow, TracePush>(
      `${PUSHES} ${where} ORDER BY id`,
      values,
      (row) => new RecordedPush(row),
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

  #rows<Row, Value>(
    sql: string,
    values: readonly unknown[],
    make: (row: Row) => Value,
  ): IterableIterator<Value> {
    return this.#made(sql, values, make, false);
  }

  /** Of rows that are arrays. */
  #arrays<Row, Value>(
    sql: string,
    values: readonly unknown[],
    make: (row: Row) => Value,
  ): IterableIterator<Value> {
    return this.#made(sql, values, make, true);
  }

  *#made<Row, Value>(
    sql: string,
    values: readonly unknown[],
    make: (row: Row) => Value,
    asArrays: boolean,
  ): IterableIterator<Value> {
    try {
      const statement = this.#database.prepare<unknown[], Row>(sql).raw(asArrays);
      let read = 0;
      for (const row of statement.iterate(...values)) {
        if (++read % TOLD_EVERY === 0) this.#onRead?.(read);
        yield make(row);
      }
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

  /** What a filter asks for, but for the key and the ids. */
  #condition(filter: OperationFilter): Condition {
    const terms: string[] = [];
    const values: unknown[] = [];
    const add = (term: string, ...bound: unknown[]): void => {
      terms.push(term);
      values.push(...bound);
    };
    if (filter.commands !== undefined) add(`o.command IN (${this.#commands.idsOf(filter.commands).join()})`);
    if (filter.connection !== undefined) add('o.connection = ?', filter.connection);
    if (filter.connections !== undefined)
      add('o.connection IN (SELECT value FROM json_each(?))', JSON.stringify(filter.connections));
    if (filter.sinceUs !== undefined) add('o.requested_us >= ?', filter.sinceUs);
    if (filter.untilUs !== undefined) add('o.requested_us < ?', filter.untilUs);
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

/** Of ascending ids those after one and up to another. */
function* within(ids: Iterable<number>, afterId: number, untilId: number): Generator<number, void> {
  for (const id of ids) {
    if (id > untilId) return;
    if (id > afterId) yield id;
  }
}

const READING: ReadonlySet<string> = new Set(['SELECT', 'VALUES', 'WITH', 'EXPLAIN']);

function refusedSql(error: unknown): unknown {
  if (typeof error !== 'string' && !hasSqliteCode(error, 'SQLITE') && !(error instanceof RangeError))
    return error;
  const reason = typeof error === 'string' ? error : messageOf(error);
  return new GaptraceError('GAPTRACE_SQL', `that SQL cannot be run here: ${reason}`);
}

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
