/**
 * Whether the forwarding thread has to wait for a core. Linux counts for each thread how long it was ready to run and did not (the second
 * number of its schedstat); /proc/PID/schedstat is that of the main thread, whoever asks. Where there is no such count,
 * nothing is crowded.
 */
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

const SCHEDSTAT = `/proc/${process.pid}/schedstat`;

export class Crowding {
  readonly #read: () => string;
  readonly #nowMs: () => number;
  #waitedNs = 0;
  #atMs = 0;

  constructor(read = () => readFileSync(SCHEDSTAT, 'utf8'), nowMs = () => performance.now()) {
    this.#read = read;
    this.#nowMs = nowMs;
    this.share();
  }

  /** Of the time since the last call, the share that the main thread waited for a core: 0 to 1. */
  share(): number {
    let waitedNs: number;
    try {
      waitedNs = Number(this.#read().split(' ')[1]);
    } catch {
      return 0;
    }
    const atMs = this.#nowMs();
    const share = (waitedNs - this.#waitedNs) / 1e6 / Math.max(atMs - this.#atMs, 1);
    this.#waitedNs = waitedNs;
    this.#atMs = atMs;
    return Number.isFinite(share) ? Math.min(Math.max(share, 0), 1) : 0;
  }
}
