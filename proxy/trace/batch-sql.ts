/** How SQLite puts many rows of `operation` into one (docs/decisions/0018-rows-by-the-batch.md), for whichever thread reads them. */
import type Database from 'better-sqlite3';

/** Operations of one batch. Who keeps one of them keeps the bytes of all. */
export const BATCH = 64;
/** A request or reply of more bytes is read on its own, in its turn: of such there is one at a time. */
export const LARGE = 4096;

export const BATCHED = `SELECT
  json_group_array(json_array(o.id, o.connection, o.sequence, o.command, o.requested_us, o.replied_us, o.flushed_us, o.owed, o.pipelined,
    o.transaction_id, o.reply_kind, o.request_length, length(o.request), o.reply_length, length(o.reply))),
  CAST(group_concat(CASE WHEN length(o.request) <= ${LARGE} THEN o.request END, '') AS BLOB),
  CAST(group_concat(CASE WHEN length(o.reply) <= ${LARGE} THEN o.reply END, '') AS BLOB)
  FROM operation o`;

/** `numbers`: JSON of the arrays that `json_array` makes here, one a row. What is large is in no block. */
export type BatchRow = readonly [numbers: string, requests: Uint8Array | null, replies: Uint8Array | null];

export const BETWEEN = 'o.id > ? AND o.id <= ?';

/** The batch of all operations after an id and up to another. */
export function batchesBetween(database: Database.Database): Database.Statement<[number, number], BatchRow> {
  const sql = `${BATCHED} WHERE ${BETWEEN}`;
  return database.prepare<[number, number]>(sql).raw() as Database.Statement<[number, number], BatchRow>;
}
