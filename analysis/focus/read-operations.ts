/** Operations of a trace that are looked at again and again, each read and decoded once. Memory grows with their number. */
import type { Trace, TraceOperation } from '../../proxy/trace/trace.js';

export class ReadOperations {
  readonly #trace: Pick<Trace, 'operations'>;
  readonly #read = new Map<number, TraceOperation>();

  constructor(trace: Pick<Trace, 'operations'>) {
    this.#trace = trace;
  }

  /** How many are kept. */
  get size(): number {
    return this.#read.size;
  }

  /** Those with these ids, ascending, and of these commands; without `commands`, of any. */
  *of(ids: readonly number[], commands?: readonly string[]): IterableIterator<TraceOperation> {
    const missing = ids.filter((id) => !this.#read.has(id));
    if (missing.length > 0) this.add(this.#trace.operations({ ids: missing }));
    const wanted = commands && new Set(commands);
    for (const id of ids) {
      const operation = this.#read.get(id);
      if (operation && (!wanted || wanted.has(operation.command))) yield operation;
    }
  }

  /** Keeps operations that were read otherwise. Their ids. */
  add(operations: Iterable<TraceOperation>): number[] {
    const ids: number[] = [];
    for (const operation of operations) {
      this.#read.set(operation.id, operation);
      ids.push(operation.id);
    }
    return ids;
  }
}
