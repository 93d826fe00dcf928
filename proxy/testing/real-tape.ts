/** A tape of real traffic, and what was made of it. */
import { isDeepStrictEqual } from 'node:util';
import type Database from 'better-sqlite3';
import { expect } from 'vitest';
import { readLines } from '../../terminal/lines.js';
import { BlockRedactor } from '../block-redactor.js';
import { CaptureReader } from '../import/capture.js';
import { Replay } from '../import/replay.js';
import { BlockWriter, HEAD_BYTES } from '../tape.js';

const CAPTURE = new URL('../../examples/resp2.capture.jsonl.gz', import.meta.url).pathname;

/** The first lines of a real capture as blocks, safe to store; a record each. */
export async function realBlocks(lines: number): Promise<Buffer[]> {
  const blocks: Buffer[] = [];
  const redactor = new BlockRedactor();
  const reader = new CaptureReader(CAPTURE);
  let replay: Replay | null = null;
  for await (const line of readLines(CAPTURE)) {
    if (replay === null) {
      const { delayUs } = reader.header(line);
      replay = new Replay((type, flags, connection, atUs, body) => {
        const block = new BlockWriter(Buffer.alloc(HEAD_BYTES + body.length));
        block.write(type, flags, connection, atUs, body);
        blocks.push(redactor.redact(block.buffer));
      }, delayUs);
    } else replay.event(reader.event(line, false));
    if (reader.line >= lines) break;
  }
  return blocks;
}

/** All facts, without the row numbers of commands and keys: those depend on when a row was written first. */
const FACTS = [
  'SELECT * FROM connection ORDER BY id',
  `SELECT o.id, connection, sequence, name, requested_us, replied_us, flushed_us, owed, pipelined, transaction_id,
          reply_kind, request, request_length, reply, reply_length
   FROM operation o JOIN command c ON c.id = o.command ORDER BY o.id`,
  'SELECT operation, name FROM operation_key JOIN key ON id = key ORDER BY operation, name',
  'SELECT connection, kind, channel, received_us, flushed_us, payload FROM push ORDER BY received_us, connection',
  'SELECT * FROM hole ORDER BY id',
  'SELECT * FROM meta ORDER BY key',
];

export function expectSameFacts(actual: Database.Database, expected: Database.Database): void {
  for (const sql of FACTS) {
    const rows = expected.prepare(sql).all();
    const found = actual.prepare(sql).all();
    expect(found.length, sql).toBe(rows.length);
    rows.forEach((row, n) => {
      // Which says what differs, and takes seconds for a few megabytes.
      if (!isDeepStrictEqual(found[n], row)) expect(found[n], sql).toEqual(row);
    });
  }
}
