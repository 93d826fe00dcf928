/**
 * Delay of one direction, to widen a race (`--latency 2ms --jitter 1ms`): what goes in comes out at least so much
 * later and in the same order, closes included. Jitter varies the delay evenly by that much to both sides; order is
 * kept by never letting an item out before the one ahead of it.
 *
 * `DelayLine` is the core and knows only items and times. `DelayedOutlet` is the small part with a timer: it stands
 * where a socket would be written to. A tunnel without latency has neither.
 */

export interface Latency {
  readonly latencyUs: number;
  readonly jitterUs: number;
}

interface Held<T> {
  readonly dueUs: number;
  readonly item: T;
}

/** First in, first out, each no sooner than its time. */
export class DelayLine<T> {
  readonly #latency: Latency;
  readonly #random: () => number;
  #held: Held<T>[] = [];
  #head = 0;
  #lastDueUs = 0;

  /** `random` gives numbers from 0 up to 1, as Math.random does. */
  constructor(latency: Latency, random: () => number = Math.random) {
    this.#latency = latency;
    this.#random = random;
  }

  put(item: T, nowUs: number): void {
    const { latencyUs, jitterUs } = this.#latency;
    const delayUs = Math.max(0, latencyUs + (2 * this.#random() - 1) * jitterUs);
    this.#lastDueUs = Math.max(this.#lastDueUs, nowUs + delayUs);
    this.#held.push({ dueUs: this.#lastDueUs, item });
  }

  /** When the next item may leave, or null when there is none. */
  get nextDueUs(): number | null {
    return this.#held[this.#head]?.dueUs ?? null;
  }

  /** The next item, if it is due by `nowUs`. */
  take(nowUs: number): T | undefined {
    const next = this.#held[this.#head];
    if (next === undefined || next.dueUs > nowUs) return undefined;
    this.#head += 1;
    if (this.#head === this.#held.length) {
      this.#held = [];
      this.#head = 0;
    }
    return next.item;
  }
}

/** Called when the kernel has taken what was written, or cannot any more. */
export type Took = (error?: Error | null) => void;

/** What a tunnel writes one direction to: a socket itself, or one behind a delay line. */
export interface Outlet {
  write(chunk: Buffer, took: Took): boolean;
  /** Bytes given to `write` that no kernel has taken yet. */
  readonly writableLength: number;
  /** The length from which on the source should pause. */
  readonly writableHighWaterMark: number;
}

/** Enough for 2 ms at 2 GB/s; a reader that is slower than that is waited for by its own socket. */
const HOLD_BYTES = 4 * 1024 * 1024;

type Step = { readonly chunk: Buffer; readonly took: Took } | { readonly action: () => void };

export class DelayedOutlet implements Outlet {
  readonly writableHighWaterMark = HOLD_BYTES;
  readonly #socket: Outlet;
  readonly #line: DelayLine<Step>;
  readonly #nowUs: () => number;
  readonly #onDrain: () => void;
  #heldBytes = 0;
  #timer: NodeJS.Timeout | null = null;
  /** The socket is full: it will say when it has drained. */
  #blocked = false;
  /** `writableLength` has reached the mark, and `onDrain` is owed. */
  #full = false;

  /** `onDrain` is called when the source may go on, after `writableLength` had reached the mark. */
  constructor(socket: Outlet, latency: Latency, nowUs: () => number, onDrain: () => void) {
    this.#socket = socket;
    this.#line = new DelayLine(latency);
    this.#nowUs = nowUs;
    this.#onDrain = onDrain;
  }

  get writableLength(): number {
    return this.#heldBytes + this.#socket.writableLength;
  }

  write(chunk: Buffer, took: Took): boolean {
    this.#heldBytes += chunk.length;
    this.#line.put({ chunk, took }, this.#nowUs());
    this.#arm();
    this.#full ||= isFull(this);
    return !this.#full;
  }

  /** Does something in its place in the order, such as closing the socket. */
  put(action: () => void): void {
    this.#line.put({ action }, this.#nowUs());
    this.#arm();
  }

  /** The socket has drained. */
  drained(): void {
    this.#blocked = false;
    this.#deliver(this.#nowUs());
  }

  /** Lets everything out now. */
  release(): void {
    this.#blocked = false;
    this.#deliver(Number.POSITIVE_INFINITY);
  }

  #deliver(untilUs: number): void {
    while (!this.#blocked) {
      const step = this.#line.take(untilUs);
      if (step === undefined) break;
      if ('action' in step) {
        step.action();
        continue;
      }
      this.#heldBytes -= step.chunk.length;
      this.#socket.write(step.chunk, step.took);
      this.#blocked = untilUs !== Number.POSITIVE_INFINITY && isFull(this.#socket);
    }
    this.#arm();
    if (this.#full && !isFull(this)) {
      this.#full = false;
      this.#onDrain();
    }
  }

  #arm(): void {
    const dueUs = this.#line.nextDueUs;
    if (this.#timer !== null || this.#blocked || dueUs === null) return;
    // A timer may fire a little early: what is not due yet then waits for another one.
    const waitMs = Math.max(1, Math.ceil((dueUs - this.#nowUs()) / 1000));
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#deliver(this.#nowUs());
    }, waitMs);
  }
}

/** Should the source of this outlet pause? Asked after a write, in place of its result: that is false too for a chunk
 * of 64 KB that the kernel took at once, because Node compares before it writes. */
export function isFull(outlet: Outlet): boolean {
  return outlet.writableLength >= outlet.writableHighWaterMark;
}
