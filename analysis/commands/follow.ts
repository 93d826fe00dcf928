/**
 * `analyze-gap --follow`: gaps come in on standard input or in a file that grows, the trace is still being written, and each gap is
 * answered as soon as the trace decides it (pending-gaps.ts says when). The one file of analysis/ that waits for anything.
 *
 * What it costs: an answer needs the whole trace read again, because a message may have begun long ago; what is known is not kept
 * from one reading to the next. So a reading answers all that waits, is made only when something waits and the trace has
 * gone on (or patience has ended), and after each one there is a pause twice as long as it took: a third of one core
 * at most, and on a trace that takes a second to read an answer comes up to three seconds later.
 */
import { type ClientLog, GapReader } from '../../clients/gap-report.js';
import { openTrace } from '../../proxy/trace/open.js';
import type { Trace } from '../../proxy/trace/trace.js';
import { followLines } from '../../terminal/follow-lines.js';
import { nameOfInput } from '../../terminal/lines.js';
import { print } from '../../terminal/print.js';
import { analyze } from '../analyze.js';
import type { Finding } from '../finding.js';
import type { PayloadFields } from '../payload.js';
import { PendingGaps, type Reading } from '../pending-gaps.js';
import { renderFinding, summaryLine } from '../render/text.js';
import { exitStatusOf } from '../verdict.js';

export const DEFAULT_PATIENCE_US = 5_000_000;

/** How often the trace is looked at while something waits, ms. */
const LOOK_EVERY_MS = 50;
/** A reading is followed by a pause so many times as long as it took. */
const PAUSE_TIMES = 2;

export type FollowOptions = {
  /** A file, or `-` for standard input. */
  readonly input: string;
  /** How long a gap may wait for its answer. */
  readonly patienceUs: number;
  readonly fields: PayloadFields;
  /** Of which applications; none: of all. */
  readonly prefixes: readonly string[];
} & ({ readonly format: 'text'; readonly colour: boolean } | { readonly format: 'ndjson' });

const SIGNAL_STATUS = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Answers gaps until the input ends, the trace ends and patience with the input too, or a signal comes; what waits then is answered
 * first. Returns the exit status: of the worst verdict, or of the signal.
 * Throws GaptraceError as `openTrace` does, GAPTRACE_GAPS at a line that cannot be understood, GAPTRACE_INPUT.
 */
export async function followGaps(path: string, options: FollowOptions): Promise<number> {
  const following = new Following(path, options);
  const signals = Object.keys(SIGNAL_STATUS) as (keyof typeof SIGNAL_STATUS)[];
  let ended: keyof typeof SIGNAL_STATUS | undefined;
  const onSignal = (signal: keyof typeof SIGNAL_STATUS): void => {
    if (ended) process.exit(SIGNAL_STATUS[signal]);
    ended = signal;
    following.stop();
  };
  for (const signal of signals) process.on(signal, onSignal);
  try {
    const status = await following.run();
    return ended ? SIGNAL_STATUS[ended] : status;
  } finally {
    for (const signal of signals) process.off(signal, onSignal);
  }
}

class Following {
  readonly #path: string;
  readonly #options: FollowOptions;
  readonly #pending: PendingGaps;
  readonly #stop = new AbortController();
  #trace: Trace;
  #spokeAs: ClientLog['spokeAs'] = new Map();
  /** What the input came to: its end, or why it cannot be read on. Null while it goes on. */
  #input: { readonly error: unknown } | null = null;
  #lastLineMs = performance.now();
  /** Wakes whoever waits for something to do. */
  #wake: () => void = () => {};
  /** Something was asked since the last reading. */
  #asked = false;
  /** How far the trace had come at the last reading, and from when on there may be another. */
  #last = { watermarkUs: -1, traceEnded: false, pauseUntilMs: 0 };

  constructor(path: string, options: FollowOptions) {
    this.#path = path;
    this.#options = options;
    this.#pending = new PendingGaps(options.patienceUs);
    this.#trace = openTrace(path);
  }

  stop(): void {
    this.#stop.abort();
    this.#wake();
  }

  async run(): Promise<number> {
    const input = this.#readInput();
    try {
      while (!this.#isOver()) {
        if (this.#isTimeToRead()) await this.#answer(this.#nowUs());
        else await this.#rest();
      }
      // Ended by a signal: what waits is answered as far as it is known.
      if (this.#pending.size > 0) await this.#answer(Number.POSITIVE_INFINITY);
      if (!this.#input?.error) await this.#sayHowItWas();
    } finally {
      this.stop();
      if (this.#options.input === '-') process.stdin.destroy(); // or it would keep the process
      await input;
      this.#trace.close();
    }
    if (this.#input?.error) throw this.#input.error;
    return exitStatusOf(this.#pending.answers());
  }

  /** Takes lines in as they come; never rejects. */
  async #readInput(): Promise<void> {
    const { input } = this.#options;
    const { signal } = this.#stop;
    const reader = new GapReader(nameOfInput(input));
    this.#spokeAs = reader.spokeAs;
    try {
      for await (const line of followLines(input, signal)) {
        this.#lastLineMs = performance.now();
        const said = reader.line(line);
        if (said.event === 'recv') this.#pending.came(said.message);
        const gaps = said.event === 'gap' ? [said.gap] : said.event === 'recv' ? said.gaps : [];
        for (const gap of gaps) this.#pending.ask(gap, this.#nowUs());
        if (gaps.length > 0) this.#asked = true;
        this.#wake();
      }
      this.#input ??= { error: null };
    } catch (error) {
      this.#input = { error: signal.aborted ? null : error };
    }
    this.#wake();
  }

  #isOver(): boolean {
    if (this.#stop.signal.aborted) return true;
    if (this.#pending.size > 0) return false;
    const quietUs = (performance.now() - this.#lastLineMs) * 1000;
    return this.#input !== null || (quietUs >= this.#options.patienceUs && !this.#trace.live);
  }

  #isTimeToRead(): boolean {
    const dueUs = this.#pending.dueUs();
    if (dueUs === null || performance.now() < this.#last.pauseUntilMs) return false;
    if (this.#nowUs() >= dueUs || this.#trace.watermarkUs > this.#last.watermarkUs) return true;
    return (this.#asked || !this.#last.traceEnded) && !this.#trace.live;
  }

  async #answer(nowUs: number): Promise<void> {
    const beganMs = performance.now();
    const reading = this.#readingAt(nowUs);
    this.#asked = false;
    const question = { ask: 'gaps', log: this.#pending.questions(this.#spokeAs), following: true } as const;
    const { fields, prefixes } = this.#options;
    const findings = this.#pending.settle(analyze(this.#trace, question, fields, prefixes), reading);
    const endedMs = performance.now();
    const pauseMs = Math.max(LOOK_EVERY_MS, (endedMs - beganMs) * PAUSE_TIMES);
    const { watermarkUs, traceEnded } = reading;
    this.#last = { watermarkUs, traceEnded, pauseUntilMs: endedMs + pauseMs };
    for (const finding of findings) await this.#print(finding);
  }

  /** Taken before the analysis, which may see more than this says but not less. */
  #readingAt(nowUs: number): Reading {
    const ended = !this.#trace.live;
    if (ended && !this.#trace.endMarker) {
      // It ended abruptly: who opens it completes it.
      this.#trace.close();
      this.#trace = openTrace(this.#path);
    }
    const { watermarkUs } = this.#trace;
    return { nowUs, watermarkUs, traceEnded: ended, inputEnded: this.#input !== null };
  }

  /** Until a line comes in, or it is time to look again. */
  async #rest(): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, LOOK_EVERY_MS);
      this.#wake = () => {
        // Not before the pause is over: lines may come in by the thousand.
        if (this.#isOver() || performance.now() >= this.#last.pauseUntilMs) {
          clearTimeout(timer);
          resolve();
        }
      };
    });
    this.#wake = () => {};
  }

  /** The clock of this machine, in the trace's time. */
  #nowUs(): number {
    return (performance.timeOrigin + performance.now()) * 1000 - this.#trace.startedUnixUs;
  }

  async #print(finding: Finding): Promise<void> {
    const options = this.#options;
    await print(
      options.format === 'text'
        ? `${renderFinding(finding, options.colour)}\n`
        : `${JSON.stringify(finding)}\n`,
    );
  }

  async #sayHowItWas(): Promise<void> {
    if (this.#options.format !== 'text') return;
    const answers = this.#pending.answers();
    const summary: Record<string, number> = { lost: 0 };
    for (const { verdict } of answers) summary[verdict] = (summary[verdict] ?? 0) + 1;
    const { cameLate } = this.#pending;
    const late = cameLate === 0 ? '' : ` Missed and received after all: ${cameLate}.`;
    await print(`${summaryLine({ summary, findings: answers })}${late}\n`);
  }
}
