/** Simulated time: what is due when. A binary heap; things due in the same microsecond come in an order that is the same in every run. */

/** Something that happens. */
export interface Due {
  run(nowUs: number): void;
}

export class Schedule {
  readonly #times: number[] = [];
  readonly #dues: Due[] = [];
  #nowUs = 0;

  /** Of what happened last, microseconds. */
  get nowUs(): number {
    return this.#nowUs;
  }

  get empty(): boolean {
    return this.#times.length === 0;
  }

  /** `us`: a whole number of microseconds, not before now. */
  at(us: number, due: Due): void {
    const times = this.#times;
    const dues = this.#dues;
    let hole = times.length;
    times.push(us);
    dues.push(due);
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      const parentUs = times[parent] as number;
      if (parentUs <= us) break;
      times[hole] = parentUs;
      dues[hole] = dues[parent] as Due;
      hole = parent;
    }
    times[hole] = us;
    dues[hole] = due;
  }

  /** Lets the earliest happen. Not to be called when empty. */
  next(): void {
    const due = this.#dues[0] as Due;
    this.#nowUs = this.#times[0] as number;
    this.#removeFirst();
    due.run(this.#nowUs);
  }

  #removeFirst(): void {
    const times = this.#times;
    const dues = this.#dues;
    const us = times.pop() as number;
    const due = dues.pop() as Due;
    const length = times.length;
    if (length === 0) return;
    let hole = 0;
    for (let child = 1; child < length; child = 2 * hole + 1) {
      if (child + 1 < length && (times[child + 1] as number) < (times[child] as number)) child++;
      if ((times[child] as number) >= us) break;
      times[hole] = times[child] as number;
      dues[hole] = dues[child] as Due;
      hole = child;
    }
    times[hole] = us;
    dues[hole] = due;
  }
}
