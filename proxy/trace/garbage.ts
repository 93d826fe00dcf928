/**
 * V8 lets garbage pile up to hundreds of megabytes before it looks for it, as long as the machine has memory; whoever records or audits
 * beside a production Redis wants it sooner. It is collected by hand each time that so much has been left.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export class Garbage {
  readonly #atMost: number;
  #left = 0;
  #collect: (() => void) | undefined;

  /** `atMost`: what may lie about, in whatever `left` counts. */
  constructor(atMost: number) {
    this.#atMost = atMost;
  }

  /** So much is done with. */
  left(amount: number): void {
    this.#left += amount;
    if (this.#left < this.#atMost) return;
    this.#left = 0;
    if (!this.#collect) {
      setFlagsFromString('--expose-gc');
      this.#collect = runInNewContext('gc') as () => void;
    }
    this.#collect();
  }
}
