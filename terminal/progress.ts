/**
 * One line on stderr that is rewritten in place, for a person who waits. Where stderr is not a terminal there is
 * nobody to watch it, and nothing is written.
 */
export interface Terminal {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const BETWEEN_MS = 100;

export class ProgressLine {
  readonly #stream: Terminal;
  readonly #nowMs: () => number;
  #shownAtMs = Number.NEGATIVE_INFINITY;
  #shown = false;

  constructor(stream: Terminal = process.stderr, nowMs: () => number = Date.now) {
    this.#stream = stream;
    this.#nowMs = nowMs;
  }

  /** Shows the text, at most ten times a second; `text` is called only when it is shown. */
  update(text: () => string): void {
    if (this.#stream.isTTY !== true) return;
    const now = this.#nowMs();
    if (now - this.#shownAtMs < BETWEEN_MS) return;
    this.#shownAtMs = now;
    this.#shown = true;
    this.#stream.write(`\r\x1b[K${text().slice(0, (this.#stream.columns ?? 80) - 1)}`);
  }

  /** Takes the line away, so that what is printed next starts on a clean one. */
  clear(): void {
    if (this.#shown) this.#stream.write('\r\x1b[K');
    this.#shown = false;
  }
}
