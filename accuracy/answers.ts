/**
 * What the analysis says of each message for each recipient, when it is asked as a user asks: about what the trace shows, and about what a
 * client says that it never got.
 */
import { analyze } from '../analysis/analyze.js';
import { Evidence } from '../analysis/evidence.js';
import type { Finding } from '../analysis/finding.js';
import { Judge, type JudgedJourney } from '../analysis/judge.js';
import type { Verdict } from '../analysis/verdict.js';
import type { ClientLog } from '../clients/gap-report.js';
import type { Trace } from '../proxy/trace/trace.js';
import { senderAndCount, type Truth } from './truth.js';

export interface Answer {
  readonly verdict: Verdict;
  readonly cause: string | null;
  readonly alternatives: readonly string[];
  /** Does a loss that it speaks of concern this recipient? */
  readonly concerns: boolean;
  /** When the message ended, by the trace; null where no operation carries it. */
  readonly atUs: number | null;
  readonly because: string;
}

export interface Answered extends Truth {
  readonly answer: Answer;
}

export interface Answers {
  readonly answered: readonly Answered[];
  /** Messages that were popped, and of which the trace has no enqueue. */
  readonly unexpected: ReadonlySet<string>;
}

export function answersOf(trace: Trace, truths: readonly Truth[]): Answers {
  const judge = new Judge(new Evidence(trace));
  const journeys = new Map<string, JudgedJourney[]>();
  const unexpected = new Set<string>();
  for (const judged of judge.all()) {
    const message = `${judged.payload.sender}/${judged.payload.count}`;
    journeys.set(message, [...(journeys.get(message) ?? []), judged]);
    const roles = judged.waypoints.map(({ role }) => role);
    if (roles.includes('pop') && !roles.includes('enqueue')) unexpected.add(message);
  }
  const findings = absentFindings(trace, truths);
  const answered = truths.map((truth) => {
    const { message, channel, fate } = truth;
    const judged = journeys.get(message)?.findLast((one) => isFor(one, channel));
    if (judged) return { ...truth, answer: answerOf(missed(judge, judged, fate.fate === 'lost'), channel) };
    return { ...truth, answer: absentAnswer(findings.get(message)) };
  });
  return { answered, unexpected };
}

function isFor({ payload, queue }: JudgedJourney, channel: string): boolean {
  return payload.recipients?.includes(channel) ?? queue.endsWith(channel);
}

/** A client that missed what the trace shows as delivered says so. */
function missed(judge: Judge, judged: JudgedJourney, isMissed: boolean): JudgedJourney {
  const seemsDelivered = judged.verdict === 'delivered' || judged.verdict === 'redelivered-late';
  return isMissed && seemsDelivered ? judge.missed(judged) : judged;
}

function answerOf(judged: JudgedJourney, channel: string): Answer {
  const { verdict, cause, alternatives, present, atUs, because } = judged;
  return { verdict, cause, alternatives, concerns: present?.includes(channel) ?? true, atUs, because };
}

function absentAnswer(finding: Finding | undefined): Answer {
  return {
    verdict: finding?.verdict ?? 'indeterminate',
    cause: finding?.cause ?? null,
    alternatives: finding?.alternatives ?? [],
    concerns: true,
    atUs: null,
    because: finding?.explanation ?? 'no operation carries it, and nobody asked',
  };
}

/** What analyze-gap says of messages that no operation carries, to the log that the clients of this run would have written. */
function absentFindings(trace: Trace, truths: readonly Truth[]): Map<string, Finding> {
  const log = clientLog(truths);
  if (log.gaps.length === 0) return new Map();
  const absent = analyze(trace, { ask: 'gaps', log }).findings.filter(({ queue }) => queue === null);
  return new Map(absent.map((finding) => [`${finding.sender}/${finding.count}`, finding]));
}

function clientLog(truths: readonly Truth[]): ClientLog {
  const one = ({ message, channel }: Truth) => ({
    client: channel,
    room: '',
    at: null,
    ...senderAndCount(message),
  });
  return {
    gaps: truths
      .filter(({ fate }) => fate.fate === 'lost')
      .map((truth) => {
        const { count, ...gap } = one(truth);
        return { ...gap, expected: count, received: count + 1, missing: [count] };
      }),
    received: truths.filter(({ fate }) => fate.fate === 'processed').map(one),
    sent: [],
  };
}
