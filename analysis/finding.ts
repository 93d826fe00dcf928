/**
 * A finding: the verdict on one message in one place with all it rests on, in the shape of `analyze-gap --json`
 * (schema 1: fields may be added, none changes its meaning).
 */
import type { Trace } from '../proxy/trace/trace.js';
import { MEANINGS } from './causes/index.js';
import { neverSent } from './causes/never-sent.js';
import type { Evidence } from './evidence.js';
import { type Mark, markOf } from './journey.js';
import type { Judgement } from './judgement.js';
import { eventAtHome, operationAtHome, proseAtHome, redisKey } from './origins.js';
import type { Absence, Asked } from './question.js';
import { digestOf } from './story.js';
import type { Verdict } from './verdict.js';

/** A Redis operation that the finding rests on: `gaptrace query` shows it whole. */
export interface FindingOperation {
  /** Its number in the trace, in the order of requests. */
  readonly id: number;
  /** What it was for the message: `enqueue`, `pop`, `backup`, `acknowledge`, `next-receive`, … */
  readonly role: string;
  readonly connection: number;
  readonly command: string;
  readonly key: string;
  /** Microseconds since the trace's start. */
  readonly requested_us: number;
  /** Null: no reply in the trace. */
  readonly replied_us: number | null;
  /** Commands that the script of this operation runs, by its shape: implied, not seen. */
  readonly implied?: readonly string[];
  /** Of several traces: the one that has this operation, under this id and connection. Times are since the earliest one's start. */
  readonly trace?: string;
}

/** The end of the connection that took the message. */
export interface FindingEvent {
  readonly connection: number;
  readonly event: 'closed';
  /** Who closed first: `client`, `redis` or `proxy`. */
  readonly by: string;
  /** `fin`, `reset` or `error`. */
  readonly how: string;
  /** Microseconds since the trace's start. */
  readonly at_us: number;
  /** Of several traces: the one that has this connection. */
  readonly trace?: string;
}

/** The verdict on one message in one queue. */
export interface Finding {
  /** Null where the payload does not say; then `member` names the message. */
  readonly sender: string | null;
  readonly count: number | null;
  /** As a client reported it; null where none did. */
  readonly room: string | null;
  /** The clients that missed it, each once. */
  readonly reported_by: readonly string[];
  readonly verdict: Verdict;
  /** Why, as docs/causes.md has it; null where nothing is wrong, or nothing is certain. */
  readonly cause: string | null;
  /** The Redis key it waited in; null where no operation carries it. */
  readonly queue: string | null;
  readonly group: string | null;
  /** Channel names of the consumers it was for. */
  readonly recipients: readonly string[];
  /** Recipients who were still there when it was lost. */
  readonly recipients_present: readonly string[];
  /** First 12 hex digits of the SHA-256 of the member: a name for messages without sender and count. Null: it is not on the wire. */
  readonly member: string | null;
  /** The beginning of what it says; null where it cannot be read. */
  readonly excerpt: string | null;
  /** What the client on the connection that took it says it is; null where it does not say. */
  readonly client_library: string | null;
  /** What the recorder added each way, microseconds. */
  readonly latency_us: number;
  /** A paragraph to paste into an issue. */
  readonly explanation: string;
  /** What to do about it. */
  readonly advice: string;
  /** Where undecided: the causes or verdicts that the evidence allows. */
  readonly alternatives: readonly string[];
  /** In the order of the trace. */
  readonly operations: readonly FindingOperation[];
  readonly events: readonly FindingEvent[];
}

const UNDECIDED_ADVICE =
  'The evidence does not decide; do not blame anybody on it. Record a whole run without holes, with every connection to Redis through the proxy, and let it go on for some seconds after the loss.';

const NOTHING_TO_DO = 'Nothing to do: nothing of it is lost.';

export function findingOf(
  asked: Asked | null,
  judgement: Judgement,
  evidence: Evidence,
  trace: Trace,
  notes: readonly string[] = [],
): Finding {
  const { payload, verdict, cause, taker } = judgement;
  const meaning = MEANINGS.get(cause ?? '');
  const library = taker === null ? null : evidence.clientLibrary(taker);
  return {
    sender: payload.sender,
    count: payload.count,
    room: asked?.room ?? null,
    reported_by: asked?.reportedBy ?? [],
    verdict,
    cause,
    queue: redisKey(judgement.queue, evidence),
    group: evidence.groupOf(payload.recipients),
    recipients: payload.recipients ?? [],
    recipients_present: judgement.present ?? [],
    member: digestOf(judgement.member),
    excerpt: payload.excerpt,
    client_library: library,
    latency_us: evidence.latencyUs,
    explanation: proseAtHome(
      [
        ...judgement.story,
        `${capital(judgement.because)}.`,
        ...judgement.consequences,
        ...(meaning ? [meaning.meaning] : []),
        ...notes,
        ...(taker === null ? [] : [libraryStory(taker, library)]),
        latencyStory(evidence.latencyUs),
      ].join(' '),
      evidence,
    ),
    advice: meaning?.advice ?? (verdict === 'indeterminate' ? UNDECIDED_ADVICE : NOTHING_TO_DO),
    alternatives: judgement.alternatives,
    operations: operationsOf(judgement, trace).map((operation) => operationAtHome(operation, evidence)),
    events: taker === null ? [] : eventsOf(taker, evidence).map((event) => eventAtHome(event, evidence)),
  };
}

/** A message that no operation carries, or none to the client that missed it. */
export function absentFinding(asked: Asked, absence: Absence, evidence: Evidence, trace: Trace): Finding {
  const meaning = MEANINGS.get(absence.cause ?? '');
  return {
    sender: asked.sender,
    count: asked.count,
    room: asked.room,
    reported_by: asked.reportedBy,
    verdict: absence.verdict,
    cause: absence.cause,
    queue: null,
    group: absence.group ?? null,
    recipients: [],
    recipients_present: [],
    member: null,
    excerpt: null,
    client_library: null,
    latency_us: evidence.latencyUs,
    explanation: proseAtHome(
      [
        `${capital(absence.because)}.`,
        ...(meaning && meaning !== neverSent ? [meaning.meaning, latencyStory(evidence.latencyUs)] : []),
      ].join(' '),
      evidence,
    ),
    advice: meaning?.advice ?? (absence.verdict === 'indeterminate' ? UNDECIDED_ADVICE : NOTHING_TO_DO),
    alternatives: absence.alternatives ?? [],
    operations: operationsOf({ waypoints: [], cites: absence.cites ?? [] }, trace).map((operation) =>
      operationAtHome(operation, evidence),
    ),
    events: [],
  };
}

/** The journey's operations, then those that the cause cites; each once, in the order of the trace. */
function operationsOf(
  { waypoints, cites }: Pick<Judgement, 'waypoints' | 'cites'>,
  trace: Trace,
): FindingOperation[] {
  const found = new Map<number, FindingOperation>();
  for (const { role, mark, implied } of waypoints) {
    if (found.has(mark.id)) continue;
    found.set(mark.id, { ...operationOf(role, mark), ...(implied ? { implied } : {}) });
  }
  for (const { role, id, key } of cites) {
    const operation = found.has(id) ? undefined : trace.operation(id);
    if (!operation) continue;
    found.set(id, operationOf(role, markOf(operation, key ?? firstKey(operation.args))));
  }
  return [...found.values()].sort((a, b) => a.requested_us - b.requested_us || a.id - b.id);
}

/** An operation as a report cites it. */
export function operationOf(role: string, mark: Mark): FindingOperation {
  const { id, connection, command, key, requestedUs, repliedUs } = mark;
  return { ...{ id, role, connection, command, key }, requested_us: requestedUs, replied_us: repliedUs };
}

function firstKey(args: readonly Buffer[]): string {
  const scripted = /^(EVAL|EVALSHA)$/i.test(args[0]?.toString('latin1') ?? '');
  return (args[scripted ? 3 : 1] ?? Buffer.alloc(0)).toString('utf8');
}

function eventsOf(taker: number, evidence: Evidence): FindingEvent[] {
  const connection = evidence.connections.get(taker);
  if (!connection || connection.closedUs === null) return [];
  return [
    {
      connection: connection.id,
      event: 'closed',
      by: connection.closedBy ?? 'unknown',
      how: connection.closedHow ?? 'unknown',
      at_us: connection.closedUs,
    },
  ];
}

function libraryStory(taker: number, library: string | null): string {
  return library
    ? `The client on connection ${taker} says it is ${library}.`
    : `The client on connection ${taker} does not say what library it is.`;
}

function latencyStory(latencyUs: number): string {
  return latencyUs === 0
    ? 'gaptrace added no latency.'
    : `gaptrace added ${latencyUs / 1000} ms of latency each way, which delays closes too and widens such races.`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
