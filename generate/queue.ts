/** What Redis holds for one process: its queue, the backup of what was popped, and the polls that wait for a message. */
import type { Message } from './message.js';

/** A poll that waits. */
export interface Poll {
  readonly polledUs: number;
  take(message: Message, nowUs: number): void;
  /** Nothing came in its time. */
  timeOut(nowUs: number): void;
}

export class Queue {
  readonly waiting: Poll[] = [];
  readonly backup: Message[] = [];
  #messages: Message[] = [];
  #first = 0;

  get length(): number {
    return this.#messages.length - this.#first;
  }

  /** The newest; a poll that waits takes it. */
  add(message: Message, nowUs: number): void {
    this.#messages.push(message);
    this.#serve(nowUs);
  }

  /** Pops the oldest for this poll, or lets it wait. */
  poll(poll: Poll, nowUs: number): void {
    this.waiting.push(poll);
    this.#serve(nowUs);
  }

  giveUp(poll: Poll): void {
    const at = this.waiting.indexOf(poll);
    if (at >= 0) this.waiting.splice(at, 1);
  }

  /** What was popped and not acknowledged is the oldest again. */
  restore(nowUs: number): void {
    if (this.backup.length === 0) return;
    this.#messages = [...this.backup, ...this.#messages.slice(this.#first)];
    this.#first = 0;
    this.backup.length = 0;
    this.#serve(nowUs);
  }

  /** Takes out what was sent at a second or before. */
  trim(upToS: number): readonly Message[] {
    let until = this.#first;
    while ((this.#messages[until]?.sentS ?? Number.POSITIVE_INFINITY) <= upToS) until++;
    if (until === this.#first) return NONE;
    const old = this.#messages.slice(this.#first, until);
    this.#first = until;
    return old;
  }

  /** All that is in it, and in the backup. */
  get left(): readonly Message[] {
    return [...this.backup, ...this.#messages.slice(this.#first)];
  }

  #serve(nowUs: number): void {
    while (this.waiting.length > 0 && this.#first < this.#messages.length) {
      const message = this.#messages[this.#first++] as Message;
      const poll = this.waiting.shift() as Poll;
      message.polledUs = poll.polledUs;
      message.pops++;
      poll.take(message, nowUs);
    }
    if (this.#first < 256 && this.#first < this.#messages.length) return;
    this.#messages = this.#messages.slice(this.#first);
    this.#first = 0;
  }
}

const NONE: readonly Message[] = [];
