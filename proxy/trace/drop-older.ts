/**
 * Dropping what was over before a moment, table by table, in steps so small that whoever drops can stop after each. No step keeps a
 * statement open. The order is that of what refers to what: the hole that says so first, keys after the operations that touch them,
 * connections after what happened on them.
 */
import type Database from 'better-sqlite3';
import { RETENTION } from './trace.js';
import type { TraceWriter } from './writer.js';

/** One `next` is one step; done when all is dropped. */
export type Dropping = Generator<void, void>;

/** The row of the hole that takes the place of all that was dropped: the others are numbered from 1. */
const HOLE = 0;
/** Rows of one step. Each may have a value of megabytes, whose pages are freed one by one. */
const ROWS = 64;
/** Keys looked at in one step, and references to one dropped in one. */
const KEYS = 512;

/**
 * Drops what was over before `toUs`. To be run in transactions; the first step must be committed with or before the others.
 * `lastKey`: of which keys (row numbers) an operation may have been the first; none beyond it is looked at. Default: all.
 */
export function* dropOlder(
  database: Database.Database,
  writer: TraceWriter,
  toUs: number,
  lastKey: (operation: number) => number = () => Number.MAX_SAFE_INTEGER,
): Dropping {
  sayWhere(writer, toUs);
  yield;
  const firstKept = yield* dropOperations(database, toUs);
  yield* dropKeys(database, writer, firstKept, lastKey(firstKept));
  yield* dropPushes(database, toUs);
  yield* dropConnections(database, toUs);
  yield* dropHoles(database, toUs);
  yield* dropSamples(database, toUs);
}

/** The moment by which this part of the rows (0 to 1) since `fromUs` was over: operations or pushes, whichever are more. */
export function beginning(database: Database.Database, fromUs: number, part: number): number {
  const spans = [
    { table: 'operation', time: 'requested_us' },
    { table: 'push', time: 'received_us' },
  ].map(({ table, time }) => {
    // Only a few are older, still under way when all around them was dropped.
    const first = `SELECT id FROM ${table} WHERE ${time} >= ? ORDER BY id LIMIT 1`;
    const span = database
      .prepare<[number], { first: number; rows: number } | undefined>(
        `SELECT (${first}) AS first, (SELECT max(id) FROM ${table}) + 1 AS rows`,
      )
      .get(fromUs);
    const start = span?.first ?? 0;
    return { table, time, first: start, rows: start === 0 ? 0 : (span?.rows ?? 0) - start };
  });
  const [most] = spans.sort((a, b) => b.rows - a.rows);
  if (most === undefined || most.rows === 0) return 0;
  const moment = database
    .prepare<[number], number>(`SELECT ${most.time} FROM ${most.table} WHERE id >= ? ORDER BY id LIMIT 1`)
    .pluck()
    .get(most.first + Math.ceil(most.rows * part));
  return moment === undefined ? 0 : Math.max(moment, fromUs + 1);
}

function sayWhere(writer: TraceWriter, toUs: number): void {
  writer.meta('retained_from_us', String(toUs));
  writer.hole(null, {
    ...{ id: HOLE, direction: null, offset: null, bytes: 0, fromUs: 0, toUs },
    reason: RETENTION,
    detail: 'the trace begins after this: what was older has been dropped (--retain)',
  });
}

/** Those that were answered before, or never will be. Returns the first id from which on all are kept. */
function* dropOperations(database: Database.Database, toUs: number): Generator<void, number> {
  const next = database.prepare<[number], { id: number | null; us: number | null }>(
    `SELECT max(id) AS id, max(requested_us) AS us FROM (SELECT id, requested_us FROM operation WHERE id > ? ORDER BY id LIMIT ${ROWS})`,
  );
  const drop = database.prepare(
    `DELETE FROM operation WHERE id > ? AND id <= ? AND requested_us < ?
      AND (replied_us < ? OR (replied_us IS NULL AND (reply_kind = 'none' OR NOT EXISTS (
        SELECT 1 FROM connection WHERE connection.id = operation.connection AND ifnull(ended_us >= ?, 1)))))`,
  );
  const firstKept = database
    .prepare<[number, number], number>(
      'SELECT id FROM operation WHERE id > ? AND requested_us >= ? ORDER BY id LIMIT 1',
    )
    .pluck();
  let after = 0;
  for (;;) {
    const { id, us } = next.get(after) ?? { id: null, us: null };
    if (id === null) return after + 1;
    drop.run(after, id, toUs, toUs, toUs);
    if (us !== null && us >= toUs) return firstKept.get(after, toUs) ?? id;
    after = id;
    yield;
  }
}

interface KeyRow {
  readonly id: number;
  readonly name: string | Buffer;
  /** The oldest operation that touches it. */
  readonly first: number | null;
}

/** What no operation is behind any more, and names that nothing refers to. Most keys are only looked at, many in one statement. */
function* dropKeys(
  database: Database.Database,
  writer: TraceWriter,
  firstKept: number,
  untilKey: number,
): Dropping {
  const keys = database.prepare<[number, number], KeyRow>(
    `SELECT id, name, (SELECT min(operation) FROM operation_key WHERE operation_key.key = key.id) AS first
     FROM key WHERE id > ? AND id <= ? ORDER BY id LIMIT ${KEYS}`,
  );
  const dropKey = database.prepare(
    'DELETE FROM key WHERE id = ? AND NOT EXISTS (SELECT 1 FROM operation_key WHERE operation_key.key = key.id)',
  );
  const references = referencesIn(database);
  let lastKey = 0;
  for (;;) {
    const some = keys.all(lastKey, untilKey);
    for (const key of some) {
      lastKey = key.id;
      if (key.first !== null && key.first >= firstKept) continue;
      yield* dropReferences(references, key.id, firstKept);
      if (dropKey.run(key.id).changes > 0) writer.forgetKey(key.name);
      yield;
    }
    if (some.length < KEYS) return;
    yield;
  }
}

type References = ReturnType<typeof referencesIn>;

function referencesIn(database: Database.Database) {
  return {
    next: database.prepare<[number, number, number], { until: number | null; rows: number }>(
      `SELECT max(operation) AS until, count(*) AS rows FROM
        (SELECT operation FROM operation_key WHERE key = ? AND operation > ? AND operation < ? ORDER BY operation LIMIT ${KEYS})`,
    ),
    drop: database.prepare<[number, number, number]>(
      `DELETE FROM operation_key WHERE key = ? AND operation > ? AND operation <= ?
        AND NOT EXISTS (SELECT 1 FROM operation WHERE operation.id = operation_key.operation)`,
    ),
  };
}

/** Those of one key; not of older operations that are still under way. */
function* dropReferences({ next, drop }: References, key: number, firstKept: number): Dropping {
  let after = 0;
  for (;;) {
    const { until, rows } = next.get(key, after, firstKept) ?? { until: null, rows: 0 };
    if (until === null) return;
    drop.run(key, after, until);
    if (rows < KEYS) return;
    after = until;
    yield;
  }
}

function* dropPushes(database: Database.Database, toUs: number): Dropping {
  // One that the client's kernel has not taken yet is still under way.
  const drop = `DELETE FROM push WHERE id > ? AND id <= ? AND received_us < ? AND (flushed_us IS NOT NULL
    OR NOT EXISTS (SELECT 1 FROM connection WHERE connection.id = push.connection AND ended_us IS NULL))`;
  yield* dropRows(database, 'push', 'received_us', drop, toUs);
}

function* dropHoles(database: Database.Database, toUs: number): Dropping {
  const drop = `DELETE FROM hole WHERE id > ? AND id <= ? AND from_us < ? AND (to_us < ${toUs}
    OR (connection IS NOT NULL AND NOT EXISTS (SELECT 1 FROM connection WHERE connection.id = hole.connection)))`;
  yield* dropRows(database, 'hole', 'from_us', drop, toUs);
}

function* dropConnections(database: Database.Database, toUs: number): Dropping {
  const drop = 'DELETE FROM connection WHERE id > ? AND id <= ? AND ended_us < ?';
  yield* dropRows(database, 'connection', 'opened_us', drop, toUs);
}

/** Goes through the rows that began before `toUs`. They are numbered about in the order of time. */
function* dropRows(
  database: Database.Database,
  table: string,
  time: string,
  drop: string,
  toUs: number,
): Dropping {
  const next = database.prepare<[number], { id: number | null; us: number | null }>(
    `SELECT max(id) AS id, min(us) AS us FROM (SELECT id, ${time} AS us FROM ${table} WHERE id > ? ORDER BY id LIMIT ${ROWS})`,
  );
  const statement = database.prepare(drop);
  let after = 0;
  for (;;) {
    const { id, us } = next.get(after) ?? { id: null, us: null };
    if (id === null || us === null || us >= toUs) return;
    statement.run(after, id, toUs);
    after = id;
    yield;
  }
}

function* dropSamples(database: Database.Database, toUs: number): Dropping {
  database.prepare('DELETE FROM redis_sample WHERE at_us < ?').run(toUs);
  yield;
}
