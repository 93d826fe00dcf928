/**
 * What recording adds to the forwarding thread, alone: the time of `nowUs` and `clientBytes`, as the tunnel calls them for
 * each chunk, blocks handed over to the worker included. Chunks come a few at a time and the event loop turns in between,
 * as with real sockets, and the worker stores and indexes what it gets, on another core.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Recorder } from '../proxy/recorder.js';
import { quartilesOf, type Spread } from './statistics.js';

export interface HotPathFigures {
  readonly chunkBytes: number;
  /** Median and quartiles over batches. */
  readonly nanosecondsAChunk: Spread;
  /** Not 0: the limit of memory was reached, and part of the time is that of dropping. */
  readonly bytesNotRecorded: number;
}

export const CHUNK_BYTES: readonly number[] = [64, 1024];

const CHUNKS_A_TURN = 32;
const TURNS_A_BATCH = 32;
/** So that the worker has whole operations to index, and not an ever longer queue of requests that wait. */
const REPLIES = Buffer.from('+OK\r\n'.repeat(CHUNKS_A_TURN));
const BATCHES = 60;
const WARM_UP_BATCHES = 20;
/** All that is measured may wait for the worker, so that none is dropped. */
const MEMORY_LIMIT_BYTES = 512 * 1024 * 1024;

export async function measureHotPath(chunkBytes: number): Promise<HotPathFigures> {
  const directory = mkdtempSync(join(tmpdir(), 'gaptrace-hot-path-'));
  try {
    const path = join(directory, 't.db');
    const recorder = await Recorder.create({ path, meta: {}, memoryLimitBytes: MEMORY_LIMIT_BYTES });
    recorder.opened(1, recorder.nowUs(), { client: 'benchmark', upstream: 'none' });
    const request = setRequest(chunkBytes);
    const batches: number[] = [];
    for (let batch = 0; batch < WARM_UP_BATCHES + BATCHES; batch++) {
      const nanoseconds = await recordBatch(recorder, request);
      if (batch >= WARM_UP_BATCHES) batches.push(nanoseconds);
    }
    recorder.ended(1, recorder.nowUs());
    const { bytesNotRecorded } = await recorder.close();
    return { chunkBytes, nanosecondsAChunk: quartilesOf(batches), bytesNotRecorded };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Nanoseconds a chunk; the replies and the turns of the event loop are not counted. */
async function recordBatch(recorder: Recorder, chunk: Buffer): Promise<number> {
  let nanoseconds = 0n;
  for (let turn = 0; turn < TURNS_A_BATCH; turn++) {
    const from = process.hrtime.bigint();
    for (let n = 0; n < CHUNKS_A_TURN; n++) recorder.clientBytes(1, recorder.nowUs(), chunk);
    nanoseconds += process.hrtime.bigint() - from;
    recorder.redisBytes(1, recorder.nowUs(), REPLIES, true);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return Number(nanoseconds) / (CHUNKS_A_TURN * TURNS_A_BATCH);
}

/** A SET that is so many bytes long on the wire. */
export function setRequest(bytes: number): Buffer {
  const frame = (value: string): string => `*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$${value.length}\r\n${value}\r\n`;
  let length = bytes - frame('').length;
  while (frame('x'.repeat(length)).length > bytes) length -= 1;
  return Buffer.from(frame('x'.repeat(length)));
}
