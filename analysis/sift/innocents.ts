/**
 * Messages that were plainly delivered, in columns: some 60 bytes each, for there are millions. Each is found again by its member, should
 * something more be seen of it: then it was not so plain.
 */

/** One of them. Operations by id. */
export interface Innocent {
  /** Its number among all messages, in the order in which each is first seen. */
  readonly at: number;
  /** The number of its queue. */
  readonly queue: number;
  /** The connection that popped it. */
  readonly taker: number;
  /** When the pop was answered, microseconds. */
  readonly poppedUs: number;
  readonly enqueue: number;
  readonly pop: number;
  readonly backup: number;
  readonly acknowledgement: number;
  /** Since when its recipients are known to have been members; null where they are not. */
  readonly membersReadUs: number | null;
}

/** Whole numbers of a row, beside the time and the hash. A trace has less than 2^32 operations. */
const NUMBERS = 7;
/** Rows are kept in pages, so that none is ever copied. */
const PAGE = 1 << 16;
const FIRST_SLOTS = 1 << 12;
/** The queue of one that turned out not to be plain. */
const REVOKED = 0xffff_ffff;

interface Page {
  readonly numbers: Uint32Array;
  readonly hashes: Int32Array;
  readonly poppedUs: Float64Array;
  /** NaN: null. */
  readonly membersReadUs: Float64Array;
}

export class Innocents {
  readonly #pages: Page[] = [];
  #length = 0;
  /** Row + 1 by the hash of its member; open addressing. */
  #slots = new Uint32Array(FIRST_SLOTS);

  add(innocent: Innocent, hash: number): void {
    const row = this.#length++;
    if (row % PAGE === 0)
      this.#pages.push({
        numbers: new Uint32Array(PAGE * NUMBERS),
        hashes: new Int32Array(PAGE),
        poppedUs: new Float64Array(PAGE),
        membersReadUs: new Float64Array(PAGE),
      });
    const { numbers, hashes, poppedUs, membersReadUs } = this.#pageOf(row);
    const index = row % PAGE;
    const first = index * NUMBERS;
    // One by one: `set` takes an array ten times as long.
    numbers[first] = innocent.at;
    numbers[first + 1] = innocent.queue;
    numbers[first + 2] = innocent.taker;
    numbers[first + 3] = innocent.enqueue;
    numbers[first + 4] = innocent.pop;
    numbers[first + 5] = innocent.backup;
    numbers[first + 6] = innocent.acknowledgement;
    hashes[index] = hash;
    poppedUs[index] = innocent.poppedUs;
    membersReadUs[index] = innocent.membersReadUs ?? Number.NaN;
    if (this.#length * 2 > this.#slots.length) this.#growSlots();
    else this.#enter(row, hash);
  }

  /** Rows whose members have this hash; they may be other members. */
  *rowsOf(hash: number): Generator<number> {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = this.#slots[slot] as number;
      if (entry === 0) return;
      if (this.#hashOf(entry - 1) === hash && !this.#isRevoked(entry - 1)) yield entry - 1;
    }
  }

  row(row: number): Innocent {
    const { numbers, poppedUs, membersReadUs } = this.#pageOf(row);
    const index = row % PAGE;
    const readUs = membersReadUs[index] as number;
    const number = (column: number): number => numbers[index * NUMBERS + column] as number;
    return {
      at: number(0),
      queue: number(1),
      taker: number(2),
      poppedUs: poppedUs[index] as number,
      enqueue: number(3),
      pop: number(4),
      backup: number(5),
      acknowledgement: number(6),
      membersReadUs: Number.isNaN(readUs) ? null : readUs,
    };
  }

  /** It was not plain after all. */
  revoke(row: number): void {
    this.#pageOf(row).numbers[(row % PAGE) * NUMBERS + 1] = REVOKED;
  }

  #isRevoked(row: number): boolean {
    return this.#pageOf(row).numbers[(row % PAGE) * NUMBERS + 1] === REVOKED;
  }

  /** Those that stayed plain, in the order in which they came to their end. */
  *all(): Generator<Innocent> {
    for (let row = 0; row < this.#length; row++) {
      const one = this.row(row);
      if (one.queue !== REVOKED) yield one;
    }
  }

  /** Rows, in the order in which each message was first seen. */
  inOrder(): Uint32Array {
    const rows = new Uint32Array(this.#length);
    let plain = 0;
    for (let row = 0; row < this.#length; row++) if (!this.#isRevoked(row)) rows[plain++] = row;
    return rows.subarray(0, plain).sort((a, b) => this.row(a).at - this.row(b).at);
  }

  #pageOf(row: number): Page {
    return this.#pages[Math.floor(row / PAGE)] as Page;
  }

  #hashOf(row: number): number {
    return this.#pageOf(row).hashes[row % PAGE] as number;
  }

  #enter(row: number, hash: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = row + 1;
  }

  #growSlots(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2);
    for (let row = 0; row < this.#length; row++) this.#enter(row, this.#hashOf(row));
  }
}

/** 32 bits, signed, of a member: of its random start and its end, and of its queue. */
export function hashOf(queue: number, member: Buffer): number {
  let hash = 2166136261 ^ queue;
  const mix = (byte: number): void => {
    hash = Math.imul(hash ^ byte, 16777619);
  };
  const { length } = member;
  for (let i = 0; i < length && i < 12; i++) mix(member[i] as number);
  for (let i = Math.max(12, length - 8); i < length; i++) mix(member[i] as number);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 2246822507);
  return hash ^ (hash >>> 13);
}
