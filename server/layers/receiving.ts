/** The receives under way in a layer: each ends with its consumer's signal, and all end when the layer is closed. */
import { layerClosed } from './pool.js';

export class Receiving {
  /** How many receives are under way with each. */
  readonly #underWay = new Map<AbortController, number>();
  /** A consumer receives thousands of times with one signal: what joins that to the layer's end is made once. */
  readonly #eitherOf = new WeakMap<AbortSignal, AbortController>();
  #closed = false;

  get closed(): boolean {
    return this.#closed;
  }

  /** Does the work with one signal for both ends: aborted with `signal.reason`, or with GAPTRACE_LAYER_CLOSED. */
  async until<T>(signal: AbortSignal | undefined, work: (either: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#closed) throw layerClosed();
    signal?.throwIfAborted();
    const either = this.#either(signal);
    this.#underWay.set(either, (this.#underWay.get(either) ?? 0) + 1);
    try {
      return await work(either.signal);
    } finally {
      const others = (this.#underWay.get(either) ?? 1) - 1;
      if (others === 0) this.#underWay.delete(either);
      else this.#underWay.set(either, others);
    }
  }

  close(): void {
    this.#closed = true;
    for (const either of this.#underWay.keys()) either.abort(layerClosed());
  }

  #either(signal: AbortSignal | undefined): AbortController {
    const known = signal && this.#eitherOf.get(signal);
    if (known !== undefined) return known;
    const either = new AbortController();
    if (signal !== undefined) {
      this.#eitherOf.set(signal, either);
      signal.addEventListener('abort', () => either.abort(signal.reason), { once: true });
    }
    return either;
  }
}
