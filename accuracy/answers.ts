/**
 * What the analysis says of each message for each recipient, when it is asked as a user asks: about what the trace shows, and about what a
 * client says that it never got.
 */
import { analyze } from '../analysis/analyze.js';
import { Evidence } from '../analysis/evidence.js';
import type { Finding } from '../analysis/finding.js';
import { Judge, type JudgedJourney } from '../analysis/judge.js';
import type { ClientLog } from '../clients/gap-report.js';
import type { Trace } from '../proxy/trace/trace.js';
import { GaptraceError } from '../terminal/errors.js';
import type { Answer } from './answer.js';
import { type Connections, Published } from './published.js';
import { senderAndCount, type Truth } from './truth.js';

export interface Answered extends Truth {
  readonly answer: Answer;
}

export type SpokeAs = ClientLog['spokeAs'];

export interface Answers {
  readonly answered: readonly Answered[];
  /** Messages that were popped, and of which the trace has no enqueue. */
  readonly unexpected: ReadonlySet<string>;
}

/**
 * `spokeAs`: by channel, the senders as which its consumer spoke: a client knows that of itself. `connections`: by channel of a pub/sub
 * consumer, those that it ever heard by.
 */
export function answersOf(
  trace: Trace,
  truths: readonly Truth[],
  spokeAs: SpokeAs,
  connections: Connections,
): Answers {
  const journeys = new Map<string, JudgedJourney[]>();
  const unexpected = new Set<string>();
  const evidence = new Evidence(trace);
  const published = new Published(trace, evidence, connections);
  for (const judged of new Judge(evidence).all()) {
    const message = `${judged.payload.sender}/${judged.payload.count}`;
    journeys.set(message, [...(journeys.get(message) ?? []), judged]);
    const roles = judged.waypoints.map(({ role }) => role);
    if (roles.includes('pop') && !roles.includes('enqueue')) unexpected.add(message);
  }
  const findings = findingsOf(trace, truths, spokeAs);
  const answered = truths.map((truth) => {
    const { message, channel, fate } = truth;
    const told = fate.fate === 'lost' ? (findings.get(message) ?? []) : [];
    const reported = published.findingFor(channel, told) ?? findingFor(channel, told);
    if (reported) return { ...truth, answer: reportedAnswer(reported) };
    const judged = journeys.get(message)?.findLast((one) => isFor(one, channel));
    const answer = judged ? judgedAnswer(judged, channel) : published.answerFor(message, channel);
    return { ...truth, answer: answer ?? UNASKED };
  });
  return { answered, unexpected };
}

/** No operation carries it, and nobody missed it. */
const UNASKED: Answer = {
  ...{ verdict: 'indeterminate', cause: null, alternatives: [], concerns: false, atUs: null },
  because: 'no operation carries it, and nobody asked',
};

function isFor({ payload, queue }: JudgedJourney, channel: string): boolean {
  return payload.recipients?.includes(channel) ?? queue.endsWith(channel);
}

function judgedAnswer(judged: JudgedJourney, channel: string): Answer {
  // Whom such a copy names got it twice; what is lost is another one's.
  if (judged.ending.at === 'misplaced')
    return { ...judged, verdict: 'duplicated', cause: null, concerns: true };
  const { verdict, cause, alternatives, present, atUs, because } = judged;
  return { verdict, cause, alternatives, concerns: present?.includes(channel) ?? true, atUs, because };
}

function reportedAnswer({ verdict, cause, alternatives, explanation }: Finding): Answer {
  return { verdict, cause, alternatives, concerns: true, atUs: null, because: explanation };
}

/** What is said to one client: of its own queue where that is told apart. */
function findingFor(channel: string, findings: readonly Finding[]): Finding | undefined {
  const told = findings.filter(({ reported_by }) => reported_by.includes(channel));
  return (
    told.find(({ recipients }) => recipients.includes(channel)) ??
    told.find(({ queue }) => queue === null) ??
    told[0]
  );
}

/** What analyze-gap says to the log that the clients of this run would have written. */
function findingsOf(trace: Trace, truths: readonly Truth[], spokeAs: SpokeAs): Map<string, Finding[]> {
  const log = clientLog(truths, spokeAs);
  const findings = new Map<string, Finding[]>();
  if (log.gaps.length === 0) return findings;
  for (const finding of asked(trace, log)) {
    const message = `${finding.sender}/${finding.count}`;
    findings.set(message, [...(findings.get(message) ?? []), finding]);
  }
  return findings;
}

/** Nothing where a hole hides all that the senders said: then analyze-gap knows none of them. */
function asked(trace: Trace, log: ClientLog): readonly Finding[] {
  try {
    return analyze(trace, { ask: 'gaps', log }).findings;
  } catch (error) {
    if (error instanceof GaptraceError && error.code === 'GAPTRACE_SENDER') return [];
    throw error;
  }
}

function clientLog(truths: readonly Truth[], spokeAs: SpokeAs): ClientLog {
  const received = truths
    .filter(({ fate }) => fate.fate === 'processed')
    .map(({ message, channel }) => ({ client: channel, room: '', at: null, ...senderAndCount(message) }));
  const gaps = truths
    .filter(({ fate }) => fate.fate === 'lost')
    .map(({ message, channel }) => {
      const { sender, count } = senderAndCount(message);
      const later = received.filter(
        (one) => one.client === channel && one.sender === sender && one.count > count,
      );
      const next = Math.min(...later.map((one) => one.count));
      const seen = Number.isFinite(next) ? next : count + 1;
      return {
        client: channel,
        room: '',
        at: null,
        sender,
        expected: count,
        received: seen,
        missing: [count],
      };
    });
  return { gaps, received, sent: [], spokeAs };
}
