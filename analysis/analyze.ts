/**
 * analyze-gap: a trace and a question in, findings and a summary out. Prints nothing.
 */
import type { ClientLog } from '../clients/gap-report.js';
import type { Trace } from '../proxy/trace/trace.js';
import { Evidence } from './evidence.js';
import { absentFinding, type Finding, findingOf } from './finding.js';
import { type Judgement, judgeAll, type Verdict } from './judge.js';
import { DEFAULT_FIELDS, type PayloadFields } from './payload.js';
import { type Asked, absenceOf, askedByGaps, MessageIndex, unknownSender } from './question.js';

export type Question =
  | { readonly ask: 'gaps'; readonly log: ClientLog }
  | { readonly ask: 'message'; readonly sender: string; readonly count: number }
  | { readonly ask: 'losses' };

export interface Analysis {
  readonly schema: 1;
  readonly trace: {
    readonly path: string;
    readonly started_at: string;
    readonly duration_us: number;
    readonly operations: number;
    /** What is not in the trace or not understood; `redacted` secrets are counted apart, they hide nothing else. */
    readonly holes: number;
    readonly redacted: number;
    readonly live: boolean;
    readonly end_marker: boolean;
  };
  /**
   * How many messages got which verdict. Of a file of gaps: of all messages that it speaks of, received or missed;
   * of one message: of it; without a question: of every message in every queue of the trace.
   */
  readonly summary: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
}

/** Verdicts, worst first: of several queues the worst speaks for a message in the summary. */
const WORST_FIRST: readonly Verdict[] = [
  'lost',
  'never-sent',
  'rejected',
  'indeterminate',
  'in-flight',
  'redelivered-late',
  'recipients-left',
  'delivered',
];
const SUMMARY: readonly Verdict[] = ['delivered', 'lost', 'indeterminate'];

/** Throws GaptraceError GAPTRACE_SENDER when none of the senders asked about is in the trace. */
export function analyze(trace: Trace, question: Question, fields: PayloadFields = DEFAULT_FIELDS): Analysis {
  const evidence = new Evidence(trace, fields);
  const judgements = judgeAll(evidence);
  const index = new MessageIndex(judgements);
  const { findings, verdicts } = answer(question, { judgements, index, evidence, trace });
  const summary: Record<string, number> = Object.fromEntries(SUMMARY.map((verdict) => [verdict, 0]));
  for (const verdict of verdicts) summary[verdict] = (summary[verdict] ?? 0) + 1;
  const redacted = evidence.holes.filter(({ reason }) => reason === 'redacted').length;
  return {
    schema: 1,
    trace: {
      path: trace.path,
      started_at: new Date(trace.startedUnixUs / 1000).toISOString(),
      duration_us: trace.watermarkUs,
      operations: trace.operationCount(),
      holes: evidence.holes.length - redacted,
      redacted,
      live: trace.live,
      end_marker: trace.endMarker,
    },
    summary,
    findings,
  };
}

/** 1: loss found; 3: nothing lost for certain, but something undecided; 0: nothing lost. */
export function exitStatusOf({ findings }: Pick<Analysis, 'findings'>): 0 | 1 | 3 {
  const verdicts = findings.map(({ verdict }) => verdict);
  if (verdicts.some((verdict) => verdict === 'lost' || verdict === 'never-sent' || verdict === 'rejected'))
    return 1;
  return verdicts.some((verdict) => verdict === 'indeterminate' || verdict === 'in-flight') ? 3 : 0;
}

interface Material {
  readonly judgements: readonly Judgement[];
  readonly index: MessageIndex;
  readonly evidence: Evidence;
  readonly trace: Trace;
}

interface Answer {
  readonly findings: readonly Finding[];
  /** One for each message counted in the summary. */
  readonly verdicts: readonly Verdict[];
}

function answer(question: Question, material: Material): Answer {
  switch (question.ask) {
    case 'losses':
      return everyLoss(material);
    case 'message': {
      const { sender, count } = question;
      const asked = { sender, count, room: null, reportedBy: [], neverCame: false, noticedUs: null };
      const findings = findingsOf(asked, material, false);
      return { findings, verdicts: [worst(findings)] };
    }
    case 'gaps':
      return everyGap(question.log, material);
  }
}

function everyLoss({ judgements, evidence, trace }: Material): Answer {
  const findings = judgements
    .filter(({ verdict }) => verdict === 'lost' || verdict === 'rejected' || verdict === 'indeterminate')
    .map((judgement) => findingOf(null, judgement, judgement, evidence, trace))
    .sort((a, b) => (a.operations.at(-1)?.requested_us ?? 0) - (b.operations.at(-1)?.requested_us ?? 0));
  return { findings, verdicts: judgements.map(({ verdict }) => verdict) };
}

function everyGap(log: ClientLog, material: Material): Answer {
  const { index, trace } = material;
  const asked = askedByGaps(log, trace.startedUnixUs);
  const [first] = asked;
  // Not one of the senders is known, and no report says when: this file and this trace have nothing to do with each other.
  if (first && asked.every((one) => !index.knows(one.sender) && one.noticedUs === null))
    throw unknownSender(first.sender, index);
  const missed = new Set(asked.map(({ sender, count }) => JSON.stringify([sender, count])));
  const findings = asked.flatMap((one) => findingsOf(one, material, true));
  const verdicts: Verdict[] = findings.map(({ verdict }) => verdict);
  for (const message of new Set(log.received.map(({ sender, count }) => JSON.stringify([sender, count])))) {
    if (missed.has(message)) continue;
    const [sender, count] = JSON.parse(message) as [string, number];
    const judged = index.find(sender, count);
    if (judged.length > 0) verdicts.push(worst(judged));
  }
  return { findings, verdicts };
}

/** The findings on one message: one a queue that lost it; else one, that says the most. `missed`: a client says it did not get it. */
function findingsOf(asked: Asked, material: Material, missed: boolean): Finding[] {
  const { index, evidence, trace } = material;
  const judged = index.find(asked.sender, asked.count);
  if (judged.length === 0) return [absentFinding(asked, absence(asked, material, missed), evidence)];
  const lost = judged.filter(({ verdict }) => verdict === 'lost' || verdict === 'rejected');
  if (lost.length > 0) return lost.map((one) => findingOf(asked, one, one, evidence, trace));
  const speaking = judged.find(({ verdict }) => verdict === worst(judged)) as Judgement;
  return [findingOf(asked, speaking, outcomeOf(speaking, judged, asked, missed), evidence, trace)];
}

/** Missed by a client, yet popped, backed up and acknowledged in every queue: lost after Redis. */
function outcomeOf(
  speaking: Judgement,
  judged: readonly Judgement[],
  asked: Asked,
  missed: boolean,
): Pick<Judgement, 'verdict'> & { cause: string | null } {
  const late = judged.some(({ verdict }) => verdict === 'redelivered-late');
  const reached = judged.every(({ verdict }) => verdict === 'delivered' || verdict === 'redelivered-late');
  if (missed && reached && (!late || asked.neverCame)) return { verdict: 'lost', cause: 'lost-after-redis' };
  return speaking;
}

function absence(asked: Asked, { index, evidence }: Material, oneOfMany: boolean) {
  if (
    oneOfMany &&
    !index.knows(asked.sender) &&
    (asked.noticedUs === null || inside(asked.noticedUs, evidence))
  )
    return {
      verdict: 'indeterminate' as const,
      because: `the trace has no message of sender ${asked.sender}`,
    };
  return absenceOf(asked, index, evidence);
}

function inside(us: number, evidence: Evidence): boolean {
  return us >= 0 && us <= evidence.endUs;
}

function worst(judged: readonly { readonly verdict: Verdict }[]): Verdict {
  return WORST_FIRST.find((verdict) => judged.some((one) => one.verdict === verdict)) ?? 'indeterminate';
}
