/**
 * V8 lets garbage pile up to hundreds of megabytes before it looks for it, as long as the machine has memory; whoever audits a trace beside a production
 * Redis wants it sooner. Looks leave what they have read of the trace: it is collected each time that so many operations were seen.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const EVERY_OPERATIONS = 10_000;

export class Garbage {
  #seen = 0;
  #collect: (() => void) | undefined;

  /** A look has seen so many operations, and is done with. */
  left(operations: number): void {
    this.#seen += operations;
    if (this.#seen < EVERY_OPERATIONS) return;
    this.#seen = 0;
    if (!this.#collect) {
      setFlagsFromString('--expose-gc');
      this.#collect = runInNewContext('gc') as () => void;
    }
    this.#collect();
  }
}
