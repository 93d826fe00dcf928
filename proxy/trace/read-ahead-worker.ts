/** The other thread of read-ahead.ts: reads as many parcels ahead as it is told to. */
import { workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { BATCH, type BatchRow, batchesBetween } from './batch-sql.js';
import { say } from './other-thread.js';
import { type FromReader, PARCEL, type ReadAheadStart, type ToReader } from './read-ahead.js';

const start = workerData as ReadAheadStart;
const database = open();
const statement = database && batchesBetween(database);
let id = start.afterId;

start.port.on('message', (parcels: ToReader) => {
  try {
    for (let left = parcels; left > 0 && id < start.untilId; left--) read();
  } catch {
    // The first thread reads it itself, and finds out why it cannot be read.
    say(start, { type: 'failed' } satisfies FromReader);
    start.port.close();
  }
});
start.port.on('close', () => database?.close());

function open(): Database.Database | null {
  try {
    return new Database(start.path, { readonly: true, fileMustExist: true });
  } catch {
    return null;
  }
}

function read(): void {
  if (!statement) throw new Error('not open');
  const batches: BatchRow[] = [];
  for (; batches.length < PARCEL && id < start.untilId; id += BATCH)
    batches.push(statement.get(id, Math.min(id + BATCH, start.untilId)) as BatchRow);
  const blocks = batches.flatMap(([, requests, replies]) => [requests, replies]);
  const memory = blocks.flatMap((block) => (block ? [block.buffer as ArrayBuffer] : []));
  say(start, { type: 'parcel', batches } satisfies FromReader, memory);
}
