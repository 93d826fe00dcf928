/**
 * Several server processes on one port: a primary, which serves nobody, and workers, each this program with a layer of its own (made
 * in the worker, so that its channels belong to it alone).
 *
 * A worker that dies is said so and replaced, each time a little later while they die young. One that cannot even begin to listen
 * is not tried again: its reason will not go away. Workers hear of the end from the primary only, because Ctrl-C in a terminal
 * reaches them too, and a second signal means something else. A worker whose primary has died ends by itself (node:cluster).
 */
import cluster, { type Worker } from 'node:cluster';
import type { Log } from '../terminal/log.js';
import { backOff } from './layers/backoff.js';

export interface ProcessesOptions {
  readonly processes: number;
  /** 0: one that is free, the same for all. */
  readonly port: number;
  readonly log: Log;
  /** Resolves when all should end. */
  readonly signalled: Promise<string>;
}

const PORT_VARIABLE = 'GAPTRACE_SERVER_PORT';
const STOP = 'gaptrace: stop';
/** A worker that has lived so long has not died young, in ms. */
const GROWN_UP_MS = 30_000;
/** How long workers may take to end, in ms. */
const STOP_WITHIN_MS = 15_000;

/** In a worker: the port that was picked for the first one, when there is one. */
export function portFromPrimary(): number | undefined {
  const port = process.env[PORT_VARIABLE];
  return port === undefined ? undefined : Number(port);
}

/** In a worker: resolves when it should end, because the primary says so or somebody wants this very process to (SIGTERM). */
export function toldToStop(): Promise<string> {
  process.on('SIGINT', () => {}); // the terminal's, for the primary
  return new Promise((resolve) => {
    process.on('message', (message) => {
      if (message === STOP) resolve('the primary ends');
    });
    process.once('SIGTERM', () => resolve('SIGTERM'));
  });
}

/** The primary, until the signal comes and all workers have ended. Leaves the outcome in the process's exit status. */
export async function runProcesses(options: ProcessesOptions): Promise<void> {
  const primary = new Primary(options);
  process.on('exit', () => primary.kill());
  for (let n = 0; n < options.processes; n++) primary.fork();
  const status = await Promise.race([
    primary.cannotStart,
    options.signalled.then((signal) => primary.stop(signal)),
  ]);
  process.exit(status);
}

class Primary {
  readonly cannotStart: Promise<number>;
  readonly #stopping = new AbortController();
  readonly #workers = new Set<Worker>();
  /** Those that do not listen yet: they serve nobody, and may not hear what they are told. */
  readonly #young = new Set<Worker>();
  #givingUp: (status: number) => void = () => {};
  #port: number;
  #listening = 0;
  #died = 0;
  #emptied: () => void = () => {};

  constructor(private readonly options: ProcessesOptions) {
    this.#port = options.port;
    this.cannotStart = new Promise((resolve) => {
      this.#givingUp = resolve;
    });
  }

  fork(): void {
    const bornMs = performance.now();
    const worker = cluster.fork(this.#port === 0 ? {} : { [PORT_VARIABLE]: String(this.#port) });
    this.#workers.add(worker);
    this.#young.add(worker);
    worker.on('listening', ({ address, port }) => {
      this.#young.delete(worker);
      this.#port = port;
      if (++this.#listening === this.options.processes)
        process.stdout.write(`listening on ${address.includes(':') ? `[${address}]` : address}:${port}\n`);
    });
    worker.on('exit', (status, signal) => {
      this.#workers.delete(worker);
      const listened = !this.#young.delete(worker);
      if (this.#workers.size === 0) this.#emptied();
      if (this.#stopping.signal.aborted) return;
      const { pid } = worker.process;
      if (!listened && this.#listening < this.options.processes) {
        // It has said why.
        this.#givingUp(status === 0 || status === null ? 1 : status);
        return;
      }
      this.#died = performance.now() - bornMs < GROWN_UP_MS ? this.#died + 1 : 1;
      this.options.log.error(
        `process ${pid} has ended (${signal ?? `status ${status}`}); another one takes its place`,
      );
      void this.#replace();
    });
  }

  async stop(signal: string): Promise<number> {
    const { log } = this.options;
    log.info(`${signal}: ending ${this.#workers.size} processes; once more to end at once`);
    this.#stopping.abort();
    const empty = new Promise<boolean>((resolve) => {
      this.#emptied = () => resolve(true);
    });
    if (this.#workers.size === 0) this.#emptied();
    for (const worker of this.#workers)
      if (this.#young.has(worker)) worker.process.kill('SIGKILL');
      else worker.send(STOP, () => {}); // one that is dead does not hear it
    const late = new Promise<boolean>((resolve) => setTimeout(resolve, STOP_WITHIN_MS, false).unref());
    if (await Promise.race([empty, late])) return 0;
    log.warn(`${this.#workers.size} processes did not end within ${STOP_WITHIN_MS / 1000} s and are killed`);
    return 1;
  }

  /** Ends what is left, at once. */
  kill(): void {
    for (const worker of this.#workers) worker.process.kill('SIGKILL');
  }

  async #replace(): Promise<void> {
    const { signal } = this.#stopping;
    await backOff(this.#died, signal);
    if (!signal.aborted) this.fork();
  }
}
