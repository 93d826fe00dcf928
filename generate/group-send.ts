/** The two requests that put a message into the queues of a group, and what Redis says to the first. */
import { GROUP_SEND } from '../server/layers/scripts.js';
import { bulk, OK, request } from './frames.js';
import type { Message } from './message.js';
import type { Parcel } from './room.js';
import { CAPACITY, EXPIRY_S } from './world.js';

const MULTI = request('MULTI');
const EXEC = request('EXEC');
const QUEUED = Buffer.from('+QUEUED\r\n');
const CAPACITY_BULK = bulk(String(CAPACITY));
const EXPIRY_BULK = bulk(String(EXPIRY_S));
/** By the number of queues: the script's request up to its keys. */
const HEADS: Buffer[] = [];

/** The trims of all queues, as one transaction in one write. */
export function transactionPieces(trims: readonly Buffer[]): Buffer[] {
  return [MULTI, ...trims, EXEC];
}

/** `removed`: how many members each trim took. */
export function transactionReply(removed: readonly number[]): Buffer {
  const counts = Buffer.from(`*${removed.length}\r\n${removed.map((n) => `:${n}\r\n`).join('')}`, 'latin1');
  return Buffer.concat([OK, ...removed.map(() => QUEUED), counts]);
}

/** The script that puts a message into each queue that has room. */
export function groupSendPieces(
  parcels: readonly Parcel[],
  messages: readonly Message[],
  score: Buffer,
): Buffer[] {
  const pieces = [headFor(parcels.length)];
  for (const { process } of parcels) pieces.push(process.mailbox.frames.key);
  for (const { member } of messages) pieces.push(member);
  for (const _ of messages) pieces.push(CAPACITY_BULK);
  pieces.push(score, EXPIRY_BULK);
  return pieces;
}

function headFor(queues: number): Buffer {
  HEADS[queues] ??= Buffer.concat([
    Buffer.from(`*${3 + 3 * queues + 2}\r\n`),
    bulk('EVAL'),
    bulk(GROUP_SEND),
    bulk(String(queues)),
  ]);
  return HEADS[queues];
}
