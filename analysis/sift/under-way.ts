/**
 * The messages of a queue that are under way, each found by its member. A member has some hundred bytes and is looked for four times, so it is found
 * by the hash that is made of some of them (innocents.ts), and then compared as a whole.
 */
import type { TraceOperation } from '../../proxy/trace/trace.js';
import type { Mark } from '../mark.js';

/** A message that is under way, or came to an end that is not plain. */
export interface UnderWay {
  /** Its number among all messages, in the order in which each is first seen. */
  readonly at: number;
  /** Latin-1. */
  readonly member: string;
  /** As `hashOf` says. */
  readonly hash: number;
  /** Something of it is out of the ordinary. */
  odd: boolean;
  enqueues: number;
  pops: number;
  backups: number;
  acknowledgements: number;
  /** The last of each. */
  enqueue: Mark | null;
  pop: Mark | null;
  backup: Mark | null;
  acknowledgement: Mark | null;
  /** When it was first sent; of one that no operation sends when it is first seen. */
  firstUs: number;
  /** When it has waited for as long as a message may; 0 before it is accepted. */
  expiresUs: number;
  /** Since when it matters whether something of it is hidden. */
  sinceUs: number;
  /** The number of its list of recipients; -1 before it is known. */
  recipients: number;
  /** Since when its recipients are known to have been members, as the last enqueue of it has it. */
  membersReadUs: number | null;
  /** Whether an enqueue of it was accepted. */
  accepted: boolean;
  /** Another of its queue that has the same hash. */
  next: UnderWay | null;
}

export class MessagesUnderWay {
  /** The first that has a hash; the others of it follow by `next`. */
  readonly #byHash = new Map<number, UnderWay>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(member: Buffer, hash: number): UnderWay | undefined {
    let message = this.#byHash.get(hash) ?? null;
    if (message === null) return undefined;
    const text = member.toString('latin1');
    while (message !== null && message.member !== text) message = message.next;
    return message ?? undefined;
  }

  /** One that is not among them. */
  add(message: UnderWay): void {
    message.next = this.#byHash.get(message.hash) ?? null;
    this.#byHash.set(message.hash, message);
    this.#size++;
  }

  /** One that is among them. */
  delete(message: UnderWay): void {
    this.#size--;
    const { hash, next } = message;
    let before = this.#byHash.get(hash);
    if (before !== message) {
      while (before && before.next !== message) before = before.next ?? undefined;
      if (before) before.next = next;
    } else if (next) this.#byHash.set(hash, next);
    else this.#byHash.delete(hash);
  }

  *[Symbol.iterator](): Generator<UnderWay> {
    for (const first of this.#byHash.values())
      for (let message: UnderWay | null = first; message !== null; message = message.next) yield message;
  }
}

export function newMessage(
  at: number,
  member: string,
  hash: number,
  { requestedUs }: TraceOperation,
): UnderWay {
  return {
    at,
    member,
    hash,
    odd: false,
    enqueues: 0,
    pops: 0,
    backups: 0,
    acknowledgements: 0,
    enqueue: null,
    pop: null,
    backup: null,
    acknowledgement: null,
    firstUs: requestedUs,
    expiresUs: 0,
    sinceUs: 0,
    recipients: -1,
    membersReadUs: null,
    accepted: false,
    next: null,
  };
}
