/**
 * The tape: what the forwarding thread writes down, and nothing more.
 *
 * A tape is a sequence of blocks; a block is a run of records in the order in which the forwarding thread saw
 * things happen. Writing a record is one copy of the bytes behind a 24-byte head: no parsing, no allocation. The
 * same records come from an imported capture, so everything behind the tape cannot tell live traffic from a file.
 *
 *   offset  0  u8   record type (RecordType)
 *           1  u8   flags (bit 0, on redis bytes: handed to the client's kernel in the same turn)
 *           2  u16  0
 *           4  u32  connection number, from 1 (0: not about one connection)
 *           8  f64  time in microseconds since the trace's start, monotonic
 *          16  u32  length of the body
 *          20  u32  0
 *          24  the body
 */
export const RecordType = {
  /** Body: JSON `OpenedBody`. */
  opened: 1,
  /** Body: bytes read from the client. */
  clientBytes: 2,
  /** Body: bytes read from Redis. */
  redisBytes: 3,
  /** Body: f64, how many bytes in all of those read from Redis have been handed to the client's kernel so far. */
  flushed: 4,
  /** Body: JSON `ClosedBody`: the first of the two sides closed. */
  closed: 5,
  /** No body: both sides are closed, nothing more comes. */
  ended: 6,
  /** Body: JSON `DroppedBody`: bytes of this connection that are not on the tape. */
  dropped: 7,
  /** Body: JSON `Note`: facts that are not about one connection. */
  note: 8,
} as const;
export type RecordType = (typeof RecordType)[keyof typeof RecordType];

export const HEAD_BYTES = 24;
export const FLAG_FLUSHED = 1;

export interface OpenedBody {
  readonly client: string;
  readonly upstream: string;
}

export type ClosedBy = 'client' | 'redis' | 'proxy';
export type ClosedHow = 'fin' | 'reset' | 'error';

export interface ClosedBody {
  readonly by: ClosedBy;
  readonly how: ClosedHow;
  /** The reason where there is one, such as `ECONNREFUSED`. */
  readonly detail?: string;
  /** Bytes read from Redis that had not been handed to the client's kernel when the first side closed. */
  readonly unflushedToClient: number;
  /** Bytes read from the client that had not been handed to the kernel towards Redis by then. */
  readonly unflushedToRedis: number;
}

export interface DroppedBody {
  readonly fromClient: number;
  readonly fromRedis: number;
  readonly fromUs: number;
  readonly toUs: number;
  readonly reason: string;
}

export type Note =
  | { readonly note: 'meta'; readonly values: Readonly<Record<string, string>> }
  | { readonly note: 'redis-sample'; readonly values: Readonly<Record<string, string>> };

export interface TapeRecord {
  readonly type: RecordType;
  readonly flags: number;
  readonly connection: number;
  readonly atUs: number;
  /** Aliases the block: copy what must outlive it. */
  readonly body: Buffer;
}

/** The head that is being written: numbers into a small buffer of its own and one copy cost less than numbers into the block. */
const HEAD = Buffer.alloc(HEAD_BYTES);

/** Writes records into one block of fixed size. Returns false, writing nothing, when a record does not fit. */
export class BlockWriter {
  readonly buffer: Buffer;
  length = 0;

  constructor(buffer: Buffer) {
    this.buffer = buffer;
  }

  fits(bodyLength: number): boolean {
    return this.length + HEAD_BYTES + bodyLength <= this.buffer.length;
  }

  write(type: RecordType, flags: number, connection: number, atUs: number, body: Uint8Array): boolean {
    if (!this.fits(body.length)) return false;
    const at = this.length;
    const { buffer } = this;
    HEAD.writeUInt32LE(type | (flags << 8), 0);
    HEAD.writeUInt32LE(connection, 4);
    HEAD.writeDoubleLE(atUs, 8);
    HEAD.writeUInt32LE(body.length, 16);
    buffer.set(HEAD, at);
    buffer.set(body, at + HEAD_BYTES);
    this.length = at + HEAD_BYTES + body.length;
    return true;
  }
}

/** The records of a block, in order. Throws RangeError on a block that was cut in the middle of a record. */
export function* readBlock(block: Buffer): Generator<TapeRecord> {
  let at = 0;
  while (at < block.length) {
    if (at + HEAD_BYTES > block.length) throw new RangeError(`tape block cut in a record head at byte ${at}`);
    const word = block.readUInt32LE(at);
    const bodyAt = at + HEAD_BYTES;
    const end = bodyAt + block.readUInt32LE(at + 16);
    if (end > block.length) throw new RangeError(`tape block cut in a record body at byte ${bodyAt}`);
    yield {
      type: (word & 0xff) as RecordType,
      flags: (word >>> 8) & 0xff,
      connection: block.readUInt32LE(at + 4),
      atUs: block.readDoubleLE(at + 8),
      body: block.subarray(bodyAt, end),
    };
    at = end;
  }
}
