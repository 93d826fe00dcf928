/**
 * V8 lets garbage pile up to hundreds of megabytes before it looks for it, as long as the machine has memory; whoever records or audits
 * beside a production Redis wants it sooner. It is collected by hand each time that so much has been left.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let gc: (() => void) | undefined;

function collect(): void {
  if (!gc) {
    setFlagsFromString('--expose-gc');
    gc = runInNewContext('gc') as () => void;
  }
  gc();
}

export class Garbage {
  readonly #atMost: number;
  #left = 0;

  /** `atMost`: what may lie about, in whatever `left` counts. */
  constructor(atMost: number) {
    this.#atMost = atMost;
  }

  /** So much is done with. */
  left(amount: number): void {
    this.#left += amount;
    if (this.#left < this.#atMost) return;
    this.#left = 0;
    collect();
  }
}

/**
 * The same for who does not know how much he leaves. A collection by hand costs more than its time: V8 forgets what it has
 * compiled for objects of which there are none at that moment, and compiles it again. So it is to be seldom.
 */
export class HeapGarbage {
  readonly #atMost: number;
  /** What it held when it was smallest, since the last collection by hand; the first one shows what is no garbage. */
  #keptBytes = 0;

  /** `atMost`: by so many bytes the heap may grow. */
  constructor(atMost: number) {
    this.#atMost = atMost;
  }

  /** Something is done with. */
  left(): void {
    const bytes = heapBytes();
    // V8 may have collected by itself.
    this.#keptBytes = Math.min(this.#keptBytes, bytes);
    if (bytes - this.#keptBytes < this.#atMost) return;
    collect();
    this.#keptBytes = heapBytes();
  }
}

/** With the buffers that the heap holds. */
function heapBytes(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}
