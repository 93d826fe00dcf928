/**
 * A log for what may happen a thousand times a second: the first of a kind is said at once, the others of the next ten seconds are counted
 * and said together with the one after them.
 */
import type { Log } from '../terminal/log.js';

const QUIET_MS = 10_000;

export class SeldomLog {
  readonly #kinds = new Map<string, { saidAtMs: number; unsaid: number }>();

  constructor(
    private readonly log: Log,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  say(level: 'info' | 'warn' | 'error', kind: string, message: string): void {
    const now = this.nowMs();
    const before = this.#kinds.get(kind);
    if (before !== undefined && now - before.saidAtMs < QUIET_MS) {
      before.unsaid++;
      return;
    }
    const more =
      before === undefined || before.unsaid === 0 ? '' : ` (and ${before.unsaid} more like it before)`;
    this.#kinds.set(kind, { saidAtMs: now, unsaid: 0 });
    this.log[level](`${message}${more}`);
  }
}
