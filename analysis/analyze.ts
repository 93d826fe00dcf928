/**
 * analyze-gap: a trace and a question in, findings and a summary out. Prints nothing.
 */
import type { ClientLog } from '../clients/gap-report.js';
import type { Trace, TraceHole } from '../proxy/trace/trace.js';
import { type AboutTrace, aboutTrace } from './about-trace.js';
import { type Addressees, addresseesOf } from './addressing.js';
import { ClientChannels } from './client-channels.js';
import { sentToNobody } from './empty-group.js';
import { holeText } from './ending.js';
import { Evidence } from './evidence.js';
import { absentFinding, type Finding, findingOf } from './finding.js';
import { seenOf } from './focus/answer.js';
import type { IndexedGround } from './focus/look.js';
import { Judge, type JudgedJourney } from './judge.js';
import type { Judgement } from './judgement.js';
import { DEFAULT_FIELDS, type PayloadFields } from './payload.js';
import { perhapsRefused } from './perhaps-refused.js';
import { type JudgedPublication, PubSubJudge } from './pubsub/judge.js';
import {
  type Absence,
  type Asked,
  absenceOf,
  askedByGaps,
  holeInRequests,
  MessageIndex,
  uncoveredTime,
  undecidedAbsence,
  unknownSender,
} from './question.js';
import { refusedSends } from './refused-sends.js';
import { scopeOf } from './scope.js';
import { speaker, speaking } from './speaking.js';
import { isLoss, type Verdict, worst } from './verdict.js';

export type Question =
  /** `following`: of a trace that goes on. A sender that it does not know yet is no reason to refuse. */
  | { readonly ask: 'gaps'; readonly log: ClientLog; readonly following?: true }
  | { readonly ask: 'message'; readonly sender: string; readonly count: number }
  | { readonly ask: 'losses' };

/** What `analyze-gap --json` prints. Fields may be added; within a schema number none changes its meaning. */
export interface Analysis {
  readonly schema: 1;
  readonly trace: AboutTrace;
  /**
   * How many messages got which verdict. Of a file of gaps: of all messages that it speaks of, received or missed;
   * of one message: of it; without a question: of every message in every queue of the trace.
   */
  readonly summary: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
}

const SUMMARY: readonly Verdict[] = ['delivered', 'lost', 'indeterminate'];

/**
 * `prefixes`: of which applications (scope.ts); none: of all. Throws GaptraceError GAPTRACE_SENDER when none of the senders asked
 * about is in the trace, GAPTRACE_PREFIX when it has nothing of a prefix.
 */
export function analyze(
  trace: Trace,
  question: Question,
  fields: PayloadFields = DEFAULT_FIELDS,
  prefixes: readonly string[] = [],
): Analysis {
  // "No operation carries it, up to now" is true of one moment only: a proxy may be writing.
  return trace.snapshot(() => analysisOf(trace, question, fields, prefixes));
}

function analysisOf(
  trace: Trace,
  question: Question,
  fields: PayloadFields,
  prefixes: readonly string[],
): Analysis {
  const following = question.ask === 'gaps' && question.following === true;
  const evidence = new Evidence(trace, fields, scopeOf(trace, prefixes, following));
  const judge = new Judge(evidence);
  const pubsub = new PubSubJudge(trace, evidence, fields);
  const queued = judge.all();
  const judgements: Judged[] = [...queued, ...pubsub.all()];
  const messages = new MessageIndex(judgements);
  const index = new MessageIndex(queued);
  const unsent = refusedSends(evidence);
  const spokeAs = question.ask === 'gaps' ? question.log.spokeAs : new Map<string, ReadonlySet<string>>();
  const clients = new ClientChannels(spokeAs, evidence.journeys.journeys);
  const material = { judge, pubsub, judgements, unsent, messages, index, clients, evidence, trace };
  const { findings, verdicts } = answer(question, material);
  return { schema: 1, trace: aboutTrace(trace, evidence), summary: summaryOf(verdicts), findings };
}

/** How many of each; of the usual ones also none. */
function summaryOf(verdicts: readonly Verdict[]): Readonly<Record<string, number>> {
  const summary: Record<string, number> = Object.fromEntries(SUMMARY.map((verdict) => [verdict, 0]));
  for (const verdict of verdicts) summary[verdict] = (summary[verdict] ?? 0) + 1;
  return summary;
}

/**
 * What `analyze` says of one message, from as little of the trace as that takes. Null: it takes all of it. `ground.trace` is one trace, of which
 * `ground.index` is the index.
 */
export function analyzeFocused(sender: string, count: number, ground: IndexedGround): Analysis | null {
  const seen = seenOf(sender, count, ground);
  if (seen === null || seen.length === 0) return null;
  const evidenceOf = new Map(seen.map(({ judged, evidence }) => [judged, evidence]));
  const asked = askedOf(sender, count);
  const told = speaking([...evidenceOf.keys()], false);
  const findings = told.map((one) => {
    const evidence = evidenceOf.get(one) as Evidence;
    return findingOf(asked, one, evidence, evidence.trace);
  });
  return {
    schema: 1,
    trace: aboutTrace(ground.trace, { holes: [...ground.trace.holes()] }, ground.operations),
    summary: summaryOf([worst(findings.map(({ verdict }) => verdict))]),
    findings,
  };
}

/** Of whichever layer. */
type Judged = JudgedJourney | JudgedPublication;

function isPublication(one: Judged): one is JudgedPublication {
  return 'publication' in one;
}

interface Material {
  readonly judge: Judge;
  readonly pubsub: PubSubJudge;
  readonly judgements: readonly Judged[];
  /** Of messages that never reached the wire. */
  readonly unsent: readonly Judgement[];
  /** Every message. */
  readonly messages: MessageIndex<Judged>;
  /** Those in queues. */
  readonly index: MessageIndex<JudgedJourney>;
  readonly clients: ClientChannels;
  readonly evidence: Evidence;
  readonly trace: Trace;
}

interface Answer {
  readonly findings: readonly Finding[];
  /** One for each message counted in the summary. */
  readonly verdicts: readonly Verdict[];
}

/** One message, whoever asks. */
function askedOf(sender: string, count: number): Asked {
  return { sender, count, room: null, reportedBy: [], reports: [], neverCame: false, noticedUs: null };
}

function answer(question: Question, material: Material): Answer {
  switch (question.ask) {
    case 'losses':
      return everyLoss(material);
    case 'message': {
      const { sender, count } = question;
      const findings = findingsOf(askedOf(sender, count), material, false);
      return { findings, verdicts: [worst(findings.map(({ verdict }) => verdict))] };
    }
    case 'gaps':
      return everyGap(question, material);
  }
}

function everyLoss({ judgements, unsent, evidence, trace }: Material): Answer {
  const all = [...judgements, ...unsent];
  const findings = all
    .filter(({ verdict }) => isLoss(verdict) || verdict === 'indeterminate')
    .map((judgement) => findingOf(null, judgement, evidence, trace))
    .sort((a, b) => (a.operations.at(-1)?.requested_us ?? 0) - (b.operations.at(-1)?.requested_us ?? 0));
  return { findings, verdicts: all.map(({ verdict }) => verdict) };
}

function everyGap({ log, following }: Extract<Question, { ask: 'gaps' }>, material: Material): Answer {
  const { messages, trace } = material;
  const asked = askedByGaps(log, trace.startedUnixUs);
  const [first] = asked;
  // Not one of the senders is known, and no report says when: this file and this trace have nothing to do with each other.
  const timeless = asked.every((one) => !messages.knows(one.sender) && one.noticedUs === null);
  if (first && !following && timeless && material.evidence.beginUs === 0)
    throw unknownSender(first.sender, messages);
  const missed = new Set(asked.map(({ sender, count }) => JSON.stringify([sender, count])));
  const findings = asked.flatMap((one) => findingsOf(one, material, true));
  const verdicts: Verdict[] = findings.map(({ verdict }) => verdict);
  for (const message of new Set(log.received.map(({ sender, count }) => JSON.stringify([sender, count])))) {
    if (missed.has(message)) continue;
    const [sender, count] = JSON.parse(message) as [string, number];
    const judged = messages.find(sender, count);
    if (judged.length > 0) verdicts.push(speaker(judged).verdict);
  }
  return { findings, verdicts };
}

/** A report of a time that lies farther outside the trace may be of another run, where senders are called the same. */
const GRACE_US = 60_000_000;

/** What the trace shows was delivered, and yet what the client missed may have been something else. */
function undecidedAfterAll(
  judged: Judgement,
  because: string,
  alternatives: Judgement['alternatives'],
): Judgement {
  return { ...judged, verdict: 'indeterminate', cause: null, because, alternatives, cites: [] };
}

function ofAnotherRun(judged: Judgement, uncovered: string): Judgement {
  return undecidedAfterAll(
    judged,
    `this message was delivered, but the report may be of another run, which the trace does not cover: ${uncovered}`,
    ['delivered', 'lost-after-redis'],
  );
}

/** A hole that may hide who a client was whose channel is not known, and so that the message was never sent to it. */
function veilOver({ asked, queues, notes }: Addressees, evidence: Evidence): TraceHole | undefined {
  if (asked.reports.length === 0 || notes.length === 0) return undefined;
  return holeInRequests({ fromUs: 0, toUs: Math.max(0, ...queues.map(({ atUs }) => atUs)) }, evidence);
}

/**
 * The findings on one message: for clients who missed it, by what was to bring it to them. Of several queues those that lost it speak, each
 * for itself; else the one that says the most. `missed`: a client says it did not get it.
 */
function findingsOf(asked: Asked, material: Material, missed: boolean): Finding[] {
  const { messages, evidence, trace } = material;
  const found = messages.find(asked.sender, asked.count);
  if (found.length === 0) return [absentFinding(asked, absence(asked, material, missed), evidence, trace)];
  const published = found.filter(isPublication);
  const queued = found.filter((one): one is JudgedJourney => !isPublication(one));
  return [
    ...(queued.length > 0 ? addresseesOf(asked, queued, material) : []).flatMap((part) =>
      findingsFor(part, material, missed),
    ),
    ...(published.length > 0 ? findingsOfPublished(asked, published, material, missed) : []),
  ];
}

function findingsFor(part: Addressees, { judge, evidence, trace }: Material, missed: boolean): Finding[] {
  const { asked, queues, channels, absence } = part;
  const reached = missed && channels !== null && (absence !== null || reachedAll(queues, asked));
  const uncovered = reached ? uncoveredTime(asked, evidence, GRACE_US) : null;
  if (uncovered) return [findingOf(asked, ofAnotherRun(speaker(part.found), uncovered), evidence, trace)];
  if (absence) return [absentFinding(asked, absence, evidence, trace)];
  const veil = reached ? veilOver(part, evidence) : undefined;
  if (veil) {
    const because = `this message was delivered, but whether it was sent to this client is not known: ${holeText(veil)}`;
    const open = undecidedAfterAll(speaker(queues), because, [
      'lost-after-redis',
      'not-a-member',
      'misrouted',
    ]);
    return [findingOf(asked, open, evidence, trace, part.notes)];
  }
  const told = reached || (missed && channels !== null && channels.length > 0 && queues.every(isUnguarded));
  const judged = told ? queues.map((one) => judge.missed(one, channels ?? [])) : queues;
  return speaking(judged, reached).map((one) => {
    const notes = reached || !isLoss(one.verdict) ? part.notes : [];
    return findingOf(asked, one, evidence, trace, notes);
  });
}

/** Whether the reply to a pop without a backup was read, only the one whose message it was can say. */
function isUnguarded({ ending, verdict }: JudgedJourney): boolean {
  return ending.at === 'unguarded' && verdict === 'indeterminate';
}

/** On pub/sub no message names its recipients, so a client's word that it never came always says something new. */
function findingsOfPublished(
  asked: Asked,
  published: readonly JudgedPublication[],
  { pubsub, evidence, trace }: Material,
  missed: boolean,
): Finding[] {
  const reached = missed && reachedAll(published, asked);
  const uncovered = missed ? uncoveredTime(asked, evidence, GRACE_US) : null;
  if (reached && uncovered)
    return [findingOf(asked, ofAnotherRun(speaker(published), uncovered), evidence, trace)];
  const judged = missed && !uncovered ? published.map((one) => pubsub.missed(one, published)) : published;
  return speaking(judged, reached).map((one) => findingOf(asked, one, evidence, trace));
}

const REACHED: ReadonlySet<Verdict> = new Set(['delivered', 'redelivered-late', 'duplicated']);

/** Popped, backed up and acknowledged in every queue; where it came late, the client must have waited to its end. */
function reachedAll(judged: readonly Judgement[], { neverCame }: Asked): boolean {
  const verdicts = judged.map(({ verdict }) => verdict);
  return (
    verdicts.every((verdict) => REACHED.has(verdict)) && (neverCame || !verdicts.includes('redelivered-late'))
  );
}

function absence(asked: Asked, material: Material, oneOfMany: boolean): Absence {
  const { messages, unsent, evidence } = material;
  if (oneOfMany && !messages.knows(asked.sender) && !uncoveredTime(asked, evidence))
    return undecidedAbsence(`the trace has no message of sender ${asked.sender}`);
  const absent = absenceOf(asked, messages, evidence);
  if (absent.verdict !== 'never-sent') return absent;
  const nobody = sentToNobody(asked, absent, material);
  return nobody.verdict === 'never-sent' ? perhapsRefused(asked, nobody, messages, unsent, evidence) : nobody;
}
