/** The other thread of index-aside.ts: blocks in, rows out, in the order of the blocks. */
import { workerData } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { Indexer } from '../indexer.js';
import type { AsideStart, FromAside, ToAside } from './index-aside.js';
import { say as sayTo } from './other-thread.js';
import { ParcelWriter } from './parcel.js';
import { indexBlock } from './spool.js';

const start = workerData as AsideStart;
const { path, port, begun, keepBytes } = start;
const database = new Database(path, { fileMustExist: true });
database.pragma('synchronous = NORMAL');
const rows = new ParcelWriter(begun);
const indexer = new Indexer(rows, { keepBytes });

port.on('message', (message: ToAside) => {
  try {
    take(message);
  } catch (error) {
    say({ type: 'failed', error });
    port.close();
  }
});
say({ type: 'ready' });

function take(message: ToAside): void {
  switch (message.type) {
    case 'block': {
      const { buffer, byteOffset, length } = message.block;
      indexBlock(indexer, Buffer.from(buffer, byteOffset, length), () => false);
      if (message.saves) indexer.save();
      const parcel = rows.parcel();
      say({ type: 'rows', parcel }, [
        parcel.numbers.buffer as ArrayBuffer,
        parcel.bytes.buffer as ArrayBuffer,
      ]);
      return;
    }
    case 'committed':
      toFile();
      return;
    case 'end':
      database.close();
      say({ type: 'ended' });
  }
}

/** What was committed, from the WAL into the file. Where that fails it stays in the WAL, and the first thread finds out why. */
function toFile(): void {
  try {
    database.pragma('wal_checkpoint(PASSIVE)');
  } catch {
    // It is tried again after the next commit.
  }
}

function say(message: FromAside, transfer: ArrayBuffer[] = []): void {
  sayTo(start, message, transfer);
}
