/**
 * A hole cut into a copy of a trace: rows taken away as they are missing when the recorder had to drop bytes, and the row that says so.
 * With it no verdict may turn wrong.
 */
import { copyFileSync } from 'node:fs';
import Database from 'better-sqlite3';

/** Cuts one hole, drawn from `random`, and says which. The trace is closed and whole. */
export function cutHole(trace: string, copy: string, random: () => number): string {
  copyFileSync(trace, copy);
  const database = new Database(copy);
  try {
    const end = Number(database.prepare("SELECT value FROM meta WHERE key = 'watermark_us'").pluck().get());
    const fromUs = Math.floor(random() * end);
    const toUs = Math.min(end, fromUs + Math.floor(random() * random() * end));
    const connections = database.prepare('SELECT DISTINCT connection FROM operation').pluck().all();
    const connection = random() < 0.3 ? null : Number(connections[Math.floor(random() * connections.length)]);
    const direction: Hole['direction'] = random() < 0.3 ? 'redis' : null;
    const hole = { connection, direction, fromUs, toUs };
    const untilUs = direction === null ? lastReplyUs(database, hole) : toUs;
    cut(database, { ...hole, toUs: untilUs });
    const where = connection === null ? 'the whole trace' : `connection ${connection}`;
    return `${where}, ${direction === null ? 'both directions' : 'replies'}, ${fromUs} to ${untilUs} us`;
  } finally {
    database.close();
  }
}

interface Hole {
  readonly connection: number | null;
  /** `redis`: the replies only. */
  readonly direction: 'redis' | null;
  readonly fromUs: number;
  readonly toUs: number;
}

/** A reply whose request is gone says nothing either: the hole goes on until the last such reply. */
function lastReplyUs(database: Database.Database, hole: Hole): number {
  const last = database
    .prepare(
      `SELECT max(replied_us) FROM operation
       WHERE (@connection IS NULL OR connection = @connection) AND requested_us BETWEEN @fromUs AND @toUs`,
    )
    .pluck()
    .get(hole);
  return Math.max(hole.toUs, Number(last ?? 0));
}

function cut(database: Database.Database, hole: Hole): void {
  const here = '(@connection IS NULL OR connection = @connection)';
  if (hole.direction === null) {
    const gone = `SELECT id FROM operation WHERE ${here} AND requested_us BETWEEN @fromUs AND @toUs`;
    database.prepare(`DELETE FROM operation_key WHERE operation IN (${gone})`).run(hole);
    database.prepare(`DELETE FROM operation WHERE id IN (${gone})`).run(hole);
  }
  database
    .prepare(
      `UPDATE operation SET reply = NULL, reply_kind = NULL, reply_length = 0, replied_us = NULL, flushed_us = NULL
       WHERE ${here} AND replied_us BETWEEN @fromUs AND @toUs`,
    )
    .run(hole);
  database.prepare(`DELETE FROM push WHERE ${here} AND received_us BETWEEN @fromUs AND @toUs`).run(hole);
  database
    .prepare(
      `INSERT INTO hole (connection, direction, from_us, to_us, byte_offset, bytes, reason, detail)
       VALUES (@connection, @direction, @fromUs, @toUs, NULL, 0, 'dropped', 'cut by the accuracy run')`,
    )
    .run(hole);
}
