/** The receives under way in a layer: each ends with its consumer's signal, and all end when the layer is closed. */
import { layerClosed } from './pool.js';

export class Receiving {
  readonly #underWay = new Set<AbortController>();
  #closed = false;

  get closed(): boolean {
    return this.#closed;
  }

  /** Does the work with one signal for both ends: aborted with `signal.reason`, or with GAPTRACE_LAYER_CLOSED. */
  async until<T>(signal: AbortSignal | undefined, work: (either: AbortSignal) => Promise<T>): Promise<T> {
    if (this.#closed) throw layerClosed();
    signal?.throwIfAborted();
    const either = new AbortController();
    const abort = (): void => either.abort(signal?.reason);
    signal?.addEventListener('abort', abort, { once: true });
    this.#underWay.add(either);
    try {
      return await work(either.signal);
    } finally {
      this.#underWay.delete(either);
      signal?.removeEventListener('abort', abort);
    }
  }

  close(): void {
    this.#closed = true;
    for (const either of this.#underWay) either.abort(layerClosed());
  }
}
