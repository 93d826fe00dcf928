/**
 * A finding: the verdict on one message in one queue with all it rests on, in the shape of `analyze-gap --json`
 * (schema 1: fields may be added, none changes its meaning).
 */
import { createHash } from 'node:crypto';
import type { Trace } from '../proxy/trace/trace.js';
import type { Citation } from './causes/cause.js';
import { CAUSES } from './causes/index.js';
import { lostAfterRedis } from './causes/lost-after-redis.js';
import type { Meaning } from './causes/meaning.js';
import { neverSent } from './causes/never-sent.js';
import { redeliveredLate } from './causes/redelivered-late.js';
import type { Evidence } from './evidence.js';
import type { Enqueue, Mark } from './journey.js';
import type { Judgement, Verdict } from './judge.js';
import { processOf } from './profiles/channel-layer.js';
import { type Absence, type Asked, seconds } from './question.js';

export interface FindingOperation {
  readonly id: number;
  readonly role: string;
  readonly connection: number;
  readonly command: string;
  readonly key: string;
  readonly requested_us: number;
  readonly replied_us: number | null;
  /** Commands that the script of this operation runs, by its shape: implied, not seen. */
  readonly implied?: readonly string[];
}

export interface FindingEvent {
  readonly connection: number;
  readonly event: 'closed';
  readonly by: string;
  readonly how: string;
  readonly at_us: number;
}

export interface Finding {
  readonly sender: string | null;
  readonly count: number | null;
  readonly room: string | null;
  readonly reported_by: readonly string[];
  readonly verdict: Verdict;
  readonly cause: string | null;
  readonly queue: string | null;
  readonly group: string | null;
  readonly recipients: readonly string[];
  /** Recipients who were still there when it was lost. */
  readonly recipients_present: readonly string[];
  /** First 12 hex digits of the SHA-256 of the member: a name for messages without sender and count. */
  readonly member: string | null;
  readonly excerpt: string | null;
  /** What the client on the connection that took it says it is; null where it does not say. */
  readonly client_library: string | null;
  /** What the recorder added each way. */
  readonly latency_us: number;
  readonly explanation: string;
  readonly advice: string;
  readonly alternatives: readonly string[];
  readonly operations: readonly FindingOperation[];
  readonly events: readonly FindingEvent[];
}

/** A client missed it although Redis delivered it. */
type Outcome = { readonly verdict: Verdict; readonly cause: string | null };

const MEANINGS: Readonly<Record<string, Meaning>> = {
  ...Object.fromEntries(CAUSES.map((cause) => [cause.id, cause])),
  'redelivered-late': redeliveredLate,
  'lost-after-redis': lostAfterRedis,
  'never-sent': neverSent,
  'over-capacity': {
    meaning: 'The queue of its process was full, so it was never put there.',
    refutedBy: 'a later pop of it.',
    advice:
      'One slow consumer fills the queue of its whole process. Raise `capacity`, or find the consumer that does not keep up.',
  },
  rejected: {
    meaning: 'Redis refused the command that should have put it into its queue.',
    refutedBy: 'a later pop of it.',
    advice:
      'See the error: out of memory, a read-only replica, missing permission, or a key of another type.',
  },
};

const UNDECIDED_ADVICE =
  'The evidence does not decide; do not blame anybody on it. Record a whole run without holes, with every connection to Redis through the proxy, and let it go on for some seconds after the loss.';

export function findingOf(
  asked: Asked | null,
  judgement: Judgement,
  outcome: Outcome,
  evidence: Evidence,
  trace: Trace,
): Finding {
  const { journey, fate } = judgement;
  const { payload, queue } = journey;
  const pop = journey.pops.at(-1) ?? null;
  const operations = operationsOf(judgement, evidence, trace);
  const group = evidence.groupOf(payload.recipients);
  const present =
    fate.fate === 'lost'
      ? (fate.present ?? [])
      : (evidence.present(payload.recipients, (pop ?? journey.enqueues[0])?.requestedUs ?? 0) ?? []);
  const known = outcome.cause === null ? undefined : MEANINGS[outcome.cause];
  const library = pop && evidence.clientLibrary(pop.connection);
  return {
    sender: payload.sender,
    count: payload.count,
    room: asked?.room ?? null,
    reported_by: asked?.reportedBy ?? [],
    verdict: outcome.verdict,
    cause: outcome.cause,
    queue,
    group,
    recipients: payload.recipients ?? [],
    recipients_present: present,
    member: digestOf(journey.member),
    excerpt: payload.excerpt,
    client_library: library,
    latency_us: evidence.latencyUs,
    explanation: [
      `${sentStory(judgement, group)}`,
      ...(pop ? [poppedStory(judgement)] : []),
      `${capital(judgement.because)}.`,
      ...(fate.fate === 'lost' ? [lossStory(fate.present, payload.recipients)] : []),
      ...(known ? [known.meaning] : []),
      ...(pop
        ? [
            library
              ? `The client on connection ${pop.connection} says it is ${library}.`
              : `The client on connection ${pop.connection} does not say what library it is.`,
          ]
        : []),
      latencyStory(evidence.latencyUs),
    ].join(' '),
    advice:
      known?.advice ??
      (outcome.verdict === 'indeterminate' ? UNDECIDED_ADVICE : 'Nothing to do: nothing of it is lost.'),
    alternatives: judgement.alternatives,
    operations,
    events: eventsOf(pop, evidence),
  };
}

/** A message that no operation carries. */
export function absentFinding(asked: Asked, absence: Absence, evidence: Evidence): Finding {
  const never = absence.verdict === 'never-sent';
  return {
    sender: asked.sender,
    count: asked.count,
    room: asked.room,
    reported_by: asked.reportedBy,
    verdict: absence.verdict,
    cause: never ? 'never-sent' : null,
    queue: null,
    group: null,
    recipients: [],
    recipients_present: [],
    member: null,
    excerpt: null,
    client_library: null,
    latency_us: evidence.latencyUs,
    explanation: `${capital(absence.because)}.`,
    advice: never ? neverSent.advice : UNDECIDED_ADVICE,
    alternatives: [],
    operations: [],
    events: [],
  };
}

export function digestOf(member: Buffer): string {
  return createHash('sha256').update(member).digest('hex').slice(0, 12);
}

function operationsOf(
  { journey, fate, cites }: Judgement,
  evidence: Evidence,
  trace: Trace,
): FindingOperation[] {
  const found = new Map<number, FindingOperation>();
  const add = (role: string, mark: Mark, implied: readonly string[] = []): void => {
    if (found.has(mark.id)) return;
    const { id, connection, command, key } = mark;
    found.set(id, {
      id,
      role,
      connection,
      command,
      key,
      requested_us: mark.requestedUs,
      replied_us: mark.repliedUs,
      ...(implied.length > 0 ? { implied } : {}),
    });
  };
  for (const enqueue of journey.enqueues) add('enqueue', enqueue, impliedBy(enqueue));
  for (const pop of journey.pops) add('pop', pop);
  for (const backup of journey.backups) add('backup', backup);
  for (const acknowledgement of journey.acknowledgements) add('acknowledge', acknowledgement);
  if (fate.fate === 'lost' || fate.fate === 'indeterminate') if (fate.next) add('next-receive', fate.next);
  for (const citation of cites) addCited(citation, found, trace);
  if (fate.fate === 'lost') {
    const [channel] = journey.payload.recipients ?? [];
    const process = channel === undefined ? null : processOf(channel);
    const departure = process === null ? null : evidence.departureAfter(process, fate.pop.requestedUs);
    if (departure) add('departure', departure.mark);
  }
  return [...found.values()].sort((a, b) => a.id - b.id);
}

function addCited({ role, id, key }: Citation, found: Map<number, FindingOperation>, trace: Trace): void {
  const operation = found.has(id) ? undefined : trace.operation(id);
  if (!operation) return;
  const { connection, command, requestedUs, repliedUs } = operation;
  found.set(id, {
    id,
    role,
    connection,
    command,
    key: key ?? firstKey(operation.args),
    requested_us: requestedUs,
    replied_us: repliedUs,
  });
}

function firstKey(args: readonly Buffer[]): string {
  const scripted = /^(EVAL|EVALSHA)$/i.test(args[0]?.toString('latin1') ?? '');
  return (args[scripted ? 3 : 1] ?? Buffer.alloc(0)).toString('utf8');
}

function impliedBy(enqueue: Enqueue): string[] {
  if (enqueue.by === 'send') return [];
  return [`ZADD ${enqueue.key}`, `EXPIRE ${enqueue.key} ${enqueue.expiry ?? ''}`.trimEnd()];
}

function eventsOf(pop: Mark | null, evidence: Evidence): FindingEvent[] {
  const connection = pop && evidence.connections.get(pop.connection);
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

function sentStory({ journey }: Judgement, group: string | null): string {
  const { payload, queue } = journey;
  const who =
    payload.sender === null
      ? `The message ${digestOf(journey.member)}`
      : `Message ${payload.count} of sender ${payload.sender}`;
  const [enqueue] = journey.enqueues;
  if (!enqueue) return `${who} is in the trace without its enqueue, in queue ${queue}.`;
  const to = payload.recipients
    ? ` for ${payload.recipients.length} ${payload.recipients.length === 1 ? 'consumer' : 'consumers'} of one process${group ? ` (group ${group})` : ''}`
    : '';
  const how =
    enqueue.by === 'group_send'
      ? `by group_send (${enqueue.command}, operation ${enqueue.id}; its ZADD and EXPIRE are implied by the script, not seen)`
      : `by send (ZADD, operation ${enqueue.id})`;

  return `${who} was put into queue ${queue} ${how} on connection ${enqueue.connection} at ${seconds(enqueue.requestedUs)}${to}.`;
}

function poppedStory({ journey }: Judgement): string {
  const pop = journey.pops.at(-1) as Mark;
  const again =
    journey.pops.length > 1
      ? `, after ${journey.pops.length - 1} earlier ${journey.pops.length === 2 ? 'pop' : 'pops'} of it that were put back`
      : '';
  return `Connection ${pop.connection} took it with ${pop.command} (operation ${pop.id}), answered at ${seconds(pop.repliedUs ?? pop.requestedUs)}${again}.`;
}

function lossStory(present: readonly string[] | null, recipients: readonly string[] | null): string {
  const who =
    present === null
      ? 'It does not say who it was for'
      : `${present.length} of its ${recipients?.length ?? 0} recipients were still there`;
  return `No ZADD to the $inflight backup followed on any connection before the queue's next receive step, and it was never popped again. ${who}.`;
}

function latencyStory(latencyUs: number): string {
  return latencyUs === 0
    ? 'gaptrace added no latency.'
    : `gaptrace added ${latencyUs / 1000} ms of latency each way, which delays closes too and widens such races.`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
