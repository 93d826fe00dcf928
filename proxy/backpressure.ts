/**
 * `--on-overload pause`: what happens where the recorder's memory is nearly used up. Traffic is paused instead of bytes being dropped,
 * and goes on as soon as there is room again. It never hangs on a recorder that does not store any more: one that
 * has stored nothing for a while is a failed one.
 *
 * Between the two marks there is room for what is read already when traffic is told to pause, and below them for enough to do
 * that pausing does not cost more than it is worth.
 */

/** Who can pause the traffic: all of it, both ways. */
export interface Traffic {
  pause(): void;
  resume(): void;
}

export interface Pauses {
  readonly count: number;
  readonly totalUs: number;
}

export interface BackpressureOptions {
  readonly blockBytes: number;
  /** Blocks not yet stored that memory allows. */
  readonly maxBlocks: number;
  /** Milliseconds without anything stored, while traffic is paused, that make the recorder a stuck one. */
  readonly patienceMs: number;
  /** Called then: it must make the recorder fail, and so `end` this. */
  readonly stuck: () => void;
}

/** One read of a socket: what may still come when traffic was told to pause. */
const LARGEST_READ = 64 * 1024;

export class Backpressure {
  /** Blocks from which on traffic pauses. */
  readonly #highBlocks: number;
  /** Blocks at which it goes on. */
  readonly #lowBlocks: number;
  readonly #patienceMs: number;
  readonly #stuck: () => void;
  readonly #traffic: Traffic[] = [];
  #pausedAtUs: number | null = null;
  #patience: NodeJS.Timeout | undefined;
  #count = 0;
  #totalUs = 0;

  constructor({ blockBytes, maxBlocks, patienceMs, stuck }: BackpressureOptions) {
    const margin = 1 + Math.ceil(LARGEST_READ / blockBytes);
    this.#highBlocks = Math.max(1, maxBlocks - margin);
    this.#lowBlocks = this.#highBlocks - Math.max(1, Math.floor(maxBlocks / 32));
    this.#patienceMs = patienceMs;
    this.#stuck = stuck;
  }

  /** Adds what is to be paused; at once, where traffic is paused just now. */
  control(traffic: Traffic): void {
    this.#traffic.push(traffic);
    if (this.#pausedAtUs !== null) traffic.pause();
  }

  /** Blocks were filled: `blocks` are not stored now. */
  filled(blocks: number, nowUs: number): void {
    if (blocks < this.#highBlocks || this.#pausedAtUs !== null) return;
    this.#pausedAtUs = nowUs;
    this.#count += 1;
    this.#patience = setTimeout(this.#stuck, this.#patienceMs);
    for (const each of this.#traffic) each.pause();
  }

  /** Blocks were stored: `blocks` are not stored yet. True where traffic goes on by this. */
  stored(blocks: number, nowUs: number): boolean {
    if (this.#pausedAtUs === null) return false;
    this.#patience?.refresh();
    if (blocks > this.#lowBlocks) return false;
    this.end(nowUs);
    return true;
  }

  /** Traffic goes on, whatever is stored. */
  end(nowUs: number): void {
    if (this.#pausedAtUs === null) return;
    clearTimeout(this.#patience);
    this.#totalUs += nowUs - this.#pausedAtUs;
    this.#pausedAtUs = null;
    for (const each of this.#traffic) each.resume();
  }

  /** How often traffic was paused, and for how long in all. */
  get pauses(): Pauses {
    return { count: this.#count, totalUs: this.#totalUs };
  }
}
