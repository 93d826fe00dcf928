/** The file of labels: NDJSON, mode 0600, there when it is whole or not at all. */
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { GaptraceError, messageOf } from '../terminal/errors.js';

const FLUSH_AT = 64 * 1024;

export class Labels {
  readonly #path: string;
  readonly #temporary: string;
  #file: number | null;
  #pending = '';

  /** @throws GaptraceError GAPTRACE_LABELS where it cannot be created, or something is there. */
  constructor(path: string) {
    this.#path = path;
    this.#temporary = `${path}.generating-${process.pid}`;
    if (existsSync(path))
      throw new GaptraceError('GAPTRACE_LABELS', `${path} exists already: move it away or name another file`);
    this.#file = this.#trying((): number => openSync(this.#temporary, 'wx', 0o600));
  }

  /** One line. @throws GaptraceError GAPTRACE_LABELS where it cannot be written. */
  readonly write = (line: object): void => {
    this.#pending += `${JSON.stringify(line)}\n`;
    if (this.#pending.length >= FLUSH_AT) this.#flush();
  };

  /** All is written. @throws GaptraceError GAPTRACE_LABELS. */
  putInPlace(): void {
    this.#flush();
    this.#trying(() => {
      if (this.#file !== null) fsyncSync(this.#file);
      this.#close();
      renameSync(this.#temporary, this.#path);
    });
  }

  /** To be called at the end, however it ends: nothing is left but what was put in place. */
  discard(): void {
    this.#close();
    rmSync(this.#temporary, { force: true });
  }

  #flush(): void {
    const bytes = Buffer.from(this.#pending);
    this.#pending = '';
    this.#trying(() => {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#file as number, bytes, at);
    });
  }

  #close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  #trying<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw new GaptraceError(
        'GAPTRACE_LABELS',
        `cannot write the labels ${this.#path}: ${messageOf(error)}`,
        {
          cause: error,
        },
      );
    }
  }
}
