/** A lock whose holders take turns in the order in which they asked. Who no longer wants his turn stands down and is passed over. */
export class Turns {
  #taken = false;
  readonly #waiting = new Set<() => void>();

  /** Takes the turn if nobody has it. */
  take(): boolean {
    if (this.#taken) return false;
    this.#taken = true;
    return true;
  }

  /** `onTurn` is called once, when the turn is the caller's; never before this returns. The returned function stands down. */
  wait(onTurn: () => void): () => void {
    // One entry for each call, also when two calls bring the same function.
    const entry = (): void => onTurn();
    this.#waiting.add(entry);
    return () => {
      this.#waiting.delete(entry);
    };
  }

  /** The holder passes the turn on. */
  pass(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#taken = false;
      return;
    }
    this.#waiting.delete(next);
    next();
  }

  /** Takes the turn as soon as it comes; rejects with `signal.reason`, without the turn, once that is aborted. */
  async acquire(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.take()) return;
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => {
        standDown();
        reject(signal?.reason);
      };
      const standDown = this.wait(() => {
        signal?.removeEventListener('abort', abort);
        resolve();
      });
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  /** Nobody has the turn, and nobody wants it. */
  get idle(): boolean {
    return !this.#taken;
  }
}
