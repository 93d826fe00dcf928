/**
 * Gaps that come in while the trace is still being written: each waits until the trace says enough to answer it, and no longer than
 * patience. Pure: reports, analyses and a time in, findings out.
 *
 * A verdict on a trace that goes on may be taken back by what comes next, so not each is given at once:
 *
 *   nothing is answered before the trace has reached the moment the report came in
 *   the queue went on without the message, or it came late, or nobody was there     stands, whatever comes: given at once
 *   undecided, in flight, no operation carries it, refused, delivered and yet missed    may change: waits for patience to end
 *
 * What a client reported missing and then received after all, as its log shows, is a question no more.
 */
import type { ClientLog, GapReport, LoggedMessage } from '../clients/gap-report.js';
import type { Analysis } from './analyze.js';
import type { Finding } from './finding.js';
import { isLoss, isOpen, type Verdict, worst } from './verdict.js';

/** One message that somebody missed. */
interface PendingGap {
  /** What its clients reported, by client. */
  readonly reports: Map<string, GapReport>;
  /** When the last of them came in, in the trace's time; null where it has been answered. */
  askedUs: number | null;
  /** The answer, where it was given. */
  answer: { readonly verdict: Verdict; readonly cause: string | null } | null;
}

/** How far the trace had come when it was analysed, and what time it was. */
export interface Reading {
  /** Microseconds since the trace's start, by the clock of whoever follows it. */
  readonly nowUs: number;
  readonly watermarkUs: number;
  /** Nothing is written to the trace any more. */
  readonly traceEnded: boolean;
  /** Nothing is reported any more. */
  readonly inputEnded: boolean;
}

export class PendingGaps {
  readonly #patienceUs: number;
  readonly #gaps = new Map<string, PendingGap>();
  readonly #waiting = new Set<string>();
  /** Messages that a client received before the question was answered. */
  cameLate = 0;

  constructor(patienceUs: number) {
    this.#patienceUs = patienceUs;
  }

  /** Takes a report in. A client that reports the same message again asks nothing new. */
  ask(report: GapReport, nowUs: number): void {
    for (const count of report.missing) {
      const key = keyOf(report.sender, count);
      const gap = this.#gaps.get(key) ?? { reports: new Map(), askedUs: null, answer: null };
      if (gap.reports.has(report.client)) continue;
      gap.reports.set(report.client, { ...report, expected: count, missing: [count] });
      gap.askedUs = nowUs;
      this.#gaps.set(key, gap);
      this.#waiting.add(key);
    }
  }

  /** A client received this message: if it had missed it, it was only late. */
  came({ client, sender, count }: LoggedMessage): void {
    const key = keyOf(sender, count);
    const gap = this.#waiting.has(key) ? this.#gaps.get(key) : undefined;
    if (!gap?.reports.delete(client)) return;
    this.cameLate++;
    if (gap.reports.size > 0) return;
    this.#waiting.delete(key);
    if (!gap.answer) this.#gaps.delete(key);
  }

  /** How many messages wait for an answer. */
  get size(): number {
    return this.#waiting.size;
  }

  /** The first moment at which patience ends for one of them; null where none waits. */
  dueUs(): number | null {
    const asked = [...this.#waiting].map((key) => this.#gaps.get(key)?.askedUs ?? 0);
    return asked.length === 0 ? null : asked.reduce((a, b) => Math.min(a, b)) + this.#patienceUs;
  }

  /** What waits, as a question to an analysis. `spokeAs`: as which senders the clients have spoken. */
  questions(spokeAs: ClientLog['spokeAs'] = new Map()): ClientLog {
    const gaps = [...this.#waiting].flatMap((key) => [...(this.#gaps.get(key)?.reports.values() ?? [])]);
    return { gaps, received: [], sent: [], spokeAs };
  }

  /** The findings that can be given now; each message's are given once. `analysis` answers `questions()`. */
  settle(analysis: Analysis, reading: Reading): Finding[] {
    const byMessage = new Map<string, Finding[]>();
    for (const finding of analysis.findings) {
      const key = keyOf(finding.sender ?? '', finding.count ?? 0);
      byMessage.set(key, [...(byMessage.get(key) ?? []), finding]);
    }
    return [...byMessage].flatMap(([key, findings]) => {
      const gap = this.#waiting.has(key) ? this.#gaps.get(key) : undefined;
      if (!gap || !this.#isDecided(findings, gap.askedUs ?? 0, reading)) return [];
      const verdict = worst(findings.map((finding) => finding.verdict));
      const cause = findings.find((finding) => finding.verdict === verdict)?.cause ?? null;
      gap.answer = { verdict, cause };
      gap.askedUs = null;
      this.#waiting.delete(key);
      return findings;
    });
  }

  /** The answers given so far, one a message. */
  answers(): { readonly verdict: Verdict; readonly cause: string | null }[] {
    return [...this.#gaps.values()].flatMap(({ answer }) => (answer ? [answer] : []));
  }

  #isDecided(findings: readonly Finding[], askedUs: number, reading: Reading): boolean {
    if (reading.nowUs >= askedUs + this.#patienceUs) return true;
    // What was not seen to be lost may be on its way to the client still, or in the next line of its log.
    if (reading.traceEnded)
      return reading.inputEnded || findings.every((finding) => isOpen(finding.verdict) || stands(finding));
    return reading.watermarkUs >= askedUs && findings.every(stands);
  }
}

function stands({ verdict, operations }: Finding): boolean {
  if (isOpen(verdict)) return false;
  return !isLoss(verdict) || operations.some(({ role }) => role === 'next-receive');
}

function keyOf(sender: string, count: number): string {
  return JSON.stringify([sender, count]);
}
