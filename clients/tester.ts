/**
 * The tester of the bug report: joins a room, sends its counts, watches those of the others, and says so when one is
 * missing. It ends at the first gap, or goes on until it is told to stop.
 */
import type { GaptraceError } from '../terminal/errors.js';
import { ChatClient, type ChatClientOptions, type Closed, lostConnection } from './chat-client.js';
import type { ChatMessage } from './chat-message.js';
import type { GapReport } from './gap-report.js';
import { GapWatch, type Judgement, steadyNowMs } from './gap-watch.js';

export interface TesterOptions extends ChatClientOptions {
  /** How long a count may be late before it is missing, in microseconds; a second by default. */
  readonly patienceUs?: number;
  /** Do not end at the first gap. */
  readonly keepGoing?: boolean;
  /** Ends it. */
  readonly signal?: AbortSignal;
  readonly onJoined?: (client: ChatClient) => void;
  /** Each message as it comes: what it means, and its text. */
  readonly onMessage?: (message: ChatMessage, text: string) => void;
  readonly onGap?: (gap: GapReport) => void;
}

export interface TesterSummary extends Judgement {
  readonly sent: number;
  readonly received: number;
  readonly duplicates: number;
  readonly reorderings: number;
  /** Why it ended: a gap was found, it was told to, or the server went away (`failure` says how). */
  readonly ended: 'gap' | 'stopped' | 'closed';
  readonly failure: GaptraceError | undefined;
}

export const PATIENCE_US = 1_000_000;

/** Rejects with a GaptraceError where the room cannot be joined, and with whatever a callback throws. */
export async function runTester(options: TesterOptions): Promise<TesterSummary> {
  return new Tester(options).run();
}

/** How often it looks for gaps that have been open for long enough. */
const SETTLE_MS = 50;

type End = 'gap' | 'stopped' | Closed;

class Tester {
  readonly #options: TesterOptions;
  readonly #client: ChatClient;
  readonly #watch: GapWatch;
  readonly #ending: Promise<End>;
  #end: (end: End) => void = () => {};
  #fail: (error: unknown) => void = () => {};
  #over = false;
  #sent = 0;

  constructor(options: TesterOptions) {
    this.#options = options;
    const client = new ChatClient(options);
    const patienceMs = (options.patienceUs ?? PATIENCE_US) / 1000;
    this.#client = client;
    this.#watch = new GapWatch({ client: client.name, room: client.room, patienceMs });
    this.#ending = new Promise((resolve, reject) => {
      this.#end = resolve;
      this.#fail = reject;
    });
    client.on('sent', () => this.#sent++);
    client.on('closed', (closed) => this.#end(closed));
    client.on('message', (message, data) =>
      this.#guarded(() => options.onMessage?.(this.#entered(message), data.toString())),
    );
  }

  async run(): Promise<TesterSummary> {
    const { signal } = this.#options;
    const stop = (): void => {
      this.#end('stopped');
      void this.#client.leave();
    };
    signal?.addEventListener('abort', stop);
    // After what has come meanwhile is read: after a stall of our own, what is late may lie in the socket.
    const settling = setInterval(() => setImmediate(() => this.#guarded(() => this.#settle())), SETTLE_MS);
    try {
      if (signal?.aborted === true) this.#end('stopped');
      else await this.#join();
      return this.#summary(await this.#ending);
    } finally {
      this.#over = true;
      clearInterval(settling);
      signal?.removeEventListener('abort', stop);
      await this.#client.leave();
    }
  }

  /** Joins; when it is told to stop meanwhile, that is no failure. */
  async #join(): Promise<void> {
    this.#client.once('joined', () => this.#options.onJoined?.(this.#client));
    await this.#client.join().catch((error: unknown) => {
      if (this.#options.signal?.aborted !== true) throw error;
    });
  }

  /** Enters what is counted; a count that cannot be right comes back as a message that is not understood. */
  #entered(message: ChatMessage): ChatMessage {
    if (message.kind !== 'counted') return message;
    const { sender, count } = message;
    const arrival = this.#watch.receive(sender, count, steadyNowMs());
    if (arrival.kind !== 'absurd') return message;
    return { kind: 'unknown', problem: `count ${count} after ${arrival.after}: a wrong count, not a gap` };
  }

  #settle(): void {
    for (const gap of this.#watch.settle(steadyNowMs())) {
      this.#options.onGap?.(gap);
      if (this.#options.keepGoing !== true) this.#end('gap');
    }
  }

  /** What goes wrong in a callback ends the run; thrown into the event loop it would end the program. */
  #guarded(work: () => void): void {
    if (this.#over) return;
    try {
      work();
    } catch (error) {
      this.#fail(error);
    }
  }

  #summary(end: End): TesterSummary {
    const { received, duplicates, reorderings } = this.#watch;
    return {
      ...{ sent: this.#sent, received, duplicates, reorderings },
      ...this.#watch.judge(steadyNowMs()),
      ended: typeof end === 'string' ? end : 'closed',
      failure: typeof end === 'string' ? undefined : lostConnection(this.#client, end),
    };
  }
}
