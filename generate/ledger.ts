/**
 * What became of each message, as those know it who did it: a line for each that was not plainly delivered, and the sums. Nothing here is read
 * from the wire.
 *
 * A recipient is there until it leaves its group. A message that is received was for nobody where all of them had left before its process
 * began to wait for it; one that was popped and lost, where they had left by the time its process went on to receive.
 */
import { createHash } from 'node:crypto';
import { memberIn } from './frames.js';
import type { Message } from './message.js';

/** One message in one queue. */
export interface Label {
  readonly schema: 1;
  readonly event: 'label';
  /** Null: the message is none that a client counts. */
  readonly sender: string | null;
  readonly count: number | null;
  /** First 12 hex digits of the SHA-256 of the member, as in an audit. */
  readonly member: string;
  readonly room: string;
  /** The Redis key. */
  readonly queue: string;
  readonly verdict: string;
  readonly cause: string | null;
  /** When it was decided, microseconds since the start. */
  readonly at_us: number;
}

export class Ledger {
  readonly #label: (label: Label) => void;
  readonly #verdicts = new Map<string, number>([['delivered', 0]]);
  readonly #causes = new Map<string, number>();
  #mishaps = 0;

  constructor(label: (label: Label) => void) {
    this.#label = label;
  }

  /** Messages in queues by verdict. */
  get verdicts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#verdicts);
  }

  get causes(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#causes);
  }

  get messages(): number {
    return [...this.#verdicts.values()].reduce((sum, n) => sum + n, 0);
  }

  /** Those with a cause. */
  get mishaps(): number {
    return this.#mishaps;
  }

  /** Popped, backed up and acknowledged. */
  received(message: Message, queue: string, nowUs: number): void {
    if (allLeft(message, message.polledUs)) this.gone(message, queue, 'recipients-left', null, nowUs);
    else if (message.pops > 1) this.gone(message, queue, 'redelivered-late', 'redelivered-late', nowUs);
    else add(this.#verdicts, 'delivered');
  }

  /** Popped, and read by nobody. `nowUs`: when its process goes on to receive. */
  lost(message: Message, queue: string, cause: string, nowUs: number): void {
    if (allLeft(message, nowUs)) this.gone(message, queue, 'recipients-left', null, nowUs);
    else this.gone(message, queue, 'lost', cause, nowUs);
  }

  gone(message: Message, queue: string, verdict: string, cause: string | null, nowUs: number): void {
    const { sender, count, room } = message;
    const member = createHash('sha256').update(memberIn(message.member)).digest('hex').slice(0, 12);
    add(this.#verdicts, verdict);
    if (cause !== null) {
      add(this.#causes, cause);
      this.#mishaps++;
    }
    this.#label({
      ...{ schema: 1, event: 'label', sender, count, member, room, queue, verdict, cause },
      at_us: nowUs,
    });
  }
}

function allLeft({ recipients }: Message, byUs: number): boolean {
  return recipients.every(({ leftUs }) => leftUs <= byUs);
}

function add(to: Map<string, number>, name: string): void {
  to.set(name, (to.get(name) ?? 0) + 1);
}
