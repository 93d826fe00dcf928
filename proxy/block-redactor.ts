/**
 * Makes a block safe to store: passwords in client bytes are blanked by the connection's Redactor, and what cannot be framed,
 * or may hold a secret, is counted in a `dropped` record in place of the bytes. A block with nothing to change is given back
 * as it is, which is nearly every block.
 *
 * Once bytes from a client are missing, nobody can tell where its requests begin any more, so neither what follows from
 * it nor the replies to that may be kept: a password could be anywhere in them.
 */
import { Redactor } from './redact.js';
import { BlockWriter, type DroppedBody, HEAD_BYTES, RecordType, readBlock, type TapeRecord } from './tape.js';

/** One connection's client bytes: its Redactor, and why no more is kept, if so. */
interface Watched {
  readonly redactor: Redactor;
  clientGap: boolean;
}

export class BlockRedactor {
  readonly #connections = new Map<number, Watched>();
  #bytesWithheld = 0;

  /** Bytes counted and not kept, so far. */
  get bytesWithheld(): number {
    return this.#bytesWithheld;
  }

  /** The same records, safe to store: the block itself (changed in place where lengths stay), or a new one. */
  redact(block: Buffer): Buffer {
    const parts: Buffer[] = [];
    let copiedTo = 0;
    let at = 0;
    for (const record of readBlock(block)) {
      const end = at + HEAD_BYTES + record.body.length;
      const replacement = this.#replacement(record);
      if (replacement !== null) {
        parts.push(block.subarray(copiedTo, at), ...replacement);
        copiedTo = end;
      }
      at = end;
    }
    if (parts.length === 0) return block;
    parts.push(block.subarray(copiedTo));
    return Buffer.concat(parts);
  }

  /** Recording stops at `atUs` with connections still open: a block that counts what is held of them, or null. */
  finish(atUs: number): Buffer | null {
    const parts: Buffer[] = [];
    for (const [connection, watched] of this.#connections) {
      const record = { type: RecordType.ended, flags: 0, connection, atUs, body: NO_BYTES };
      const counted = watched.clientGap ? null : this.#heldBefore(record, watched)?.[0];
      if (counted) parts.push(counted);
    }
    this.#connections.clear();
    return parts.length === 0 ? null : Buffer.concat(parts);
  }

  /** What to store in place of a record; null: the record as it is. */
  #replacement(record: TapeRecord): readonly Buffer[] | null {
    switch (record.type) {
      case RecordType.clientBytes:
        return this.#clientBytes(record, this.#watched(record.connection));
      case RecordType.redisBytes: {
        const watched = this.#connections.get(record.connection);
        if (watched === undefined || !(watched.clientGap || watched.redactor.repliesWithheld)) return null;
        return [this.#counted(record, 'fromRedis', record.body.length, 'withheld')];
      }
      case RecordType.dropped:
        return this.#dropped(record);
      case RecordType.ended:
        return this.#ended(record);
      default:
        return null;
    }
  }

  #clientBytes(record: TapeRecord, watched: Watched): readonly Buffer[] | null {
    if (watched.clientGap) return [this.#counted(record, 'fromClient', record.body.length, 'withheld')];
    const { bytes, refused } = watched.redactor.push(record.body);
    if (bytes === record.body && refused === null) return null;
    const parts: Buffer[] = [];
    if (bytes.length > 0) parts.push(recordOf(RecordType.clientBytes, record, bytes));
    if (refused !== null) parts.push(this.#counted(record, 'fromClient', refused.bytes, refused.reason));
    return parts;
  }

  #dropped(record: TapeRecord): readonly Buffer[] | null {
    const { fromClient } = JSON.parse(record.body.toString('utf8')) as DroppedBody;
    if (fromClient === 0) return null;
    const watched = this.#watched(record.connection);
    if (watched.clientGap) return null;
    watched.clientGap = true;
    return this.#heldBefore(record, watched);
  }

  #ended(record: TapeRecord): readonly Buffer[] | null {
    const watched = this.#connections.get(record.connection);
    if (watched === undefined) return null;
    this.#connections.delete(record.connection);
    return watched.clientGap ? null : this.#heldBefore(record, watched);
  }

  /** A record after which the redactor gives nothing back any more, and before it what it held, counted. */
  #heldBefore(record: TapeRecord, watched: Watched): readonly Buffer[] | null {
    const held = watched.redactor.end();
    if (held === null || held.bytes === 0) return null;
    return [
      this.#counted(record, 'fromClient', held.bytes, 'withheld'),
      recordOf(record.type, record, record.body),
    ];
  }

  #counted(record: TapeRecord, whose: 'fromClient' | 'fromRedis', bytes: number, reason: string): Buffer {
    this.#bytesWithheld += bytes;
    const { atUs } = record;
    const body: DroppedBody = {
      fromClient: 0,
      fromRedis: 0,
      fromUs: atUs,
      toUs: atUs,
      reason,
      [whose]: bytes,
    };
    return recordOf(RecordType.dropped, record, Buffer.from(JSON.stringify(body)));
  }

  #watched(connection: number): Watched {
    let watched = this.#connections.get(connection);
    if (watched === undefined) {
      watched = { redactor: new Redactor(), clientGap: false };
      this.#connections.set(connection, watched);
    }
    return watched;
  }
}

const NO_BYTES = Buffer.alloc(0);

/** A record of its own, about the same connection and time as another. */
function recordOf(type: RecordType, like: TapeRecord, body: Buffer): Buffer {
  const block = new BlockWriter(Buffer.alloc(HEAD_BYTES + body.length));
  block.write(type, 0, like.connection, like.atUs, body);
  return block.buffer;
}
