/**
 * What is asked of a trace: the gaps of a file, one message by sender and count, or every loss. Answered with the journeys
 * that carry the message, and with what the trace can say where none does.
 */
import type { ClientLog, GapReport } from '../clients/gap-report.js';
import type { TraceHole } from '../proxy/trace/trace.js';
import { GaptraceError } from '../terminal/errors.js';
import type { Citation } from './causes/cause.js';
import { holeText } from './ending.js';
import type { Evidence, Span } from './evidence.js';
import type { Judgement } from './judgement.js';
import { countWhile, seconds } from './moment.js';

export { seconds } from './moment.js';

/** One message that somebody asks about. */
export interface Asked {
  readonly sender: string;
  readonly count: number;
  readonly room: string | null;
  readonly reportedBy: readonly string[];
  /** What each of them reported; none where nobody did. */
  readonly reports: readonly GapReport[];
  /** True where a whole client log shows that it never came; false where it may have come after the report. */
  readonly neverCame: boolean;
  /** When a client noticed, microseconds since the trace's start; null where no report says. */
  readonly noticedUs: number | null;
}

/** Judgements by sender and count: how a message of a client is found in the trace. */
export class MessageIndex<Judged extends Judgement = Judgement> {
  readonly #bySender = new Map<string, Map<number, Judged[]>>();
  /** Ascending, worked out when first asked for. */
  readonly #counts = new Map<string, readonly number[]>();

  constructor(judgements: readonly Judged[]) {
    for (const judgement of judgements) {
      const { sender, count } = judgement.payload;
      if (sender === null || count === null) continue;
      let counts = this.#bySender.get(sender);
      if (!counts) {
        counts = new Map();
        this.#bySender.set(sender, counts);
      }
      const list = counts.get(count);
      if (list) list.push(judgement);
      else counts.set(count, [judgement]);
    }
  }

  knows(sender: string): boolean {
    return this.#bySender.has(sender);
  }

  find(sender: string, count: number): readonly Judged[] {
    return this.#bySender.get(sender)?.get(count) ?? [];
  }

  senders(): string[] {
    return [...this.#bySender.keys()];
  }

  /** The sender's counts in the trace, ascending. */
  counts(sender: string): readonly number[] {
    let counts = this.#counts.get(sender);
    if (!counts) {
      counts = [...(this.#bySender.get(sender)?.keys() ?? [])].sort((a, b) => a - b);
      this.#counts.set(sender, counts);
    }
    return counts;
  }
}

/** One question a message, merged over the clients that missed it; in the order of the reports. */
export function askedByGaps(log: ClientLog, startedUnixUs: number): Asked[] {
  const logged = new Set(log.received.map(({ client }) => client));
  const merged = new Map<
    string,
    { gap: GapReport; count: number; reports: GapReport[]; clients: Set<string>; noticed: number[] }
  >();
  for (const gap of log.gaps)
    for (const count of gap.missing) {
      const key = JSON.stringify([gap.sender, count]);
      const known = merged.get(key) ?? {
        ...{ gap, count, reports: [], clients: new Set<string>(), noticed: [] },
      };
      if (!known.clients.has(gap.client)) known.reports.push(gap);
      known.clients.add(gap.client);
      if (typeof gap.at === 'string') known.noticed.push(Date.parse(gap.at) * 1000 - startedUnixUs);
      merged.set(key, known);
    }
  return [...merged.values()].map(({ gap, count, reports, clients, noticed }) => ({
    sender: gap.sender,
    count,
    room: gap.room,
    reportedBy: [...clients],
    reports,
    neverCame: [...clients].some((client) => logged.has(client)),
    noticedUs: noticed.length > 0 ? Math.min(...noticed) : null,
  }));
}

/** What can be said of a message that no operation carries, or none to the client that missed it. */
export interface Absence {
  readonly verdict: 'never-sent' | 'not-addressed' | 'recipients-left' | 'indeterminate';
  /** Null where none is certain, or none is needed. */
  readonly cause: string | null;
  readonly because: string;
  readonly group?: string;
  readonly cites?: readonly Citation[];
  readonly alternatives?: readonly string[];
}

export function undecidedAbsence(because: string, alternatives: readonly string[] = []): Absence {
  return { verdict: 'indeterminate', cause: null, because, alternatives };
}

/** Throws GaptraceError GAPTRACE_SENDER where the sender is unknown to a trace that covers the time, or no time is said. */
export function absenceOf(asked: Asked, index: MessageIndex, evidence: Evidence): Absence {
  const { sender } = asked;
  const uncovered = uncoveredTime(asked, evidence);
  if (uncovered) return undecidedAbsence(`the trace does not cover it: ${uncovered}`);
  if (!index.knows(sender)) {
    if (evidence.beginUs === 0) throw unknownSender(sender, index);
    return undecidedAbsence(`${beginning(evidence)}, and has no message of sender ${sender} since then`);
  }
  const { before, after, span } = neighboursOf(asked, index, evidence);
  if (before === undefined)
    return undecidedAbsence(
      `${after === undefined ? 'the trace does not show this sender sending anything' : `the first message that the trace shows this sender sending has count ${after}`}: this one may have been sent before the trace began${evidence.beginUs > 0 ? ` (${beginning(evidence)})` : ''}`,
    );
  const hole = holeInRequests(span, evidence);
  if (hole) return undecidedAbsence(`no operation carries it, but ${holeText(hole)}`);
  const known =
    after === undefined
      ? `the highest count that the trace shows this sender sending is ${before}, at ${seconds(span.fromUs)}; the trace goes on to ${seconds(span.toUs)}`
      : `count ${before} was sent at ${seconds(span.fromUs)} and ${after} at ${seconds(span.toUs)}, and the trace has no hole between`;
  return { verdict: 'never-sent', cause: 'never-sent', because: `no operation carries it: ${known}` };
}

/** The sender's nearest counts that the trace shows being sent, and the time between them, in which this one was sent. */
export function neighboursOf({ sender, count }: Asked, index: MessageIndex, evidence: Evidence) {
  const counts = index.counts(sender);
  const nearest = (from: number, step: 1 | -1): { count?: number; us?: number } => {
    for (let at = from; at >= 0 && at < counts.length; at += step) {
      const us = sentUs(index, sender, counts[at] as number);
      if (us !== null) return { count: counts[at] as number, us };
    }
    return {};
  };
  const { count: before, us: fromUs = 0 } = nearest(countWhile(counts, (known) => known < count) - 1, -1);
  const { count: after, us: toUs = evidence.endUs } = nearest(
    countWhile(counts, (known) => known <= count),
    1,
  );
  // Counts may have been sent out of order.
  const span: Span = { fromUs: Math.min(fromUs, toUs), toUs: Math.max(fromUs, toUs) };
  return { before, after, span };
}

/** A hole that may hide what a client said within a span. */
export function holeInRequests(span: Span, evidence: Evidence): TraceHole | undefined {
  return evidence.holes.find(
    (hole) =>
      hole.reason !== 'redacted' &&
      hole.direction !== 'redis' &&
      hole.fromUs <= span.toUs &&
      (hole.toUs ?? evidence.endUs) >= span.fromUs,
  );
}

/**
 * Where a client noticed the gap at a time that the trace does not cover: both times, for people. Null where it does, or no report says
 * when. `graceUs`: what clocks and a client that notices late are allowed.
 */
export function uncoveredTime({ noticedUs }: Asked, evidence: Evidence, graceUs = 0): string | null {
  const { beginUs, endUs } = evidence;
  if (noticedUs === null || (noticedUs >= beginUs - graceUs && noticedUs <= endUs + graceUs)) return null;
  const goes =
    beginUs > 0
      ? beginning(evidence)
      : `the trace goes from ${dateOf(0, evidence)} to ${dateOf(endUs, evidence)}`;
  return `a client noticed it at ${dateOf(noticedUs, evidence)}, ${goes}`;
}

/** Of a trace whose oldest facts were dropped. */
function beginning(evidence: Evidence): string {
  const { beginUs } = evidence;
  return `the trace begins at ${dateOf(beginUs, evidence)} (${seconds(beginUs)}), what was older has been dropped (--retain)`;
}

function dateOf(us: number, { startedUnixUs }: Evidence): string {
  return new Date((startedUnixUs + us) / 1000).toISOString();
}

export function unknownSender(sender: string, index: MessageIndex): GaptraceError {
  const senders = index.senders();
  const near = senders.find((known) => known.startsWith(sender) || sender.startsWith(known));
  const hint = near
    ? `did you mean ${near}?`
    : senders.length === 0
      ? 'no message in it has a sender and a count (see --sender-field and --count-field)'
      : `it has ${senders.length} others, such as ${senders.slice(0, 3).join(', ')}`;
  return new GaptraceError('GAPTRACE_SENDER', `the trace has no message of sender ${sender}: ${hint}`);
}

/** When it was sent; null where only what became of it later is in the trace. */
function sentUs(index: MessageIndex, sender: string, count: number): number | null {
  const first = index.find(sender, count)[0]?.waypoints[0];
  return first && !TAKEN.has(first.role) ? first.mark.requestedUs : null;
}

const TAKEN: ReadonlySet<string> = new Set(['pop', 'backup', 'acknowledge']);
