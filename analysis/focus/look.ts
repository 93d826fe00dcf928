/**
 * A look at a part of a trace: everything that concerns one queue within a span of time, and what is needed from elsewhere to judge by it. Tells
 * how its messages are judged there, and whether the judgement of the whole trace would be the same.
 *
 * The rule is: where nobody asked about what was left out, nothing that was left out could have changed the answer. The exceptions, which
 * the judges do not ask holes about, are those of `settled`.
 */
import type { Trace, TraceOperation } from '../../proxy/trace/trace.js';
import { POLLS_THAT_SHOW_IT_STAYED_OPEN } from '../causes/popped-then-disconnected.js';
import type { EndAtPop, Ending } from '../ending.js';
import { type Enqueue, type Journey, readJourneys } from '../journey.js';
import { Judge, type JudgedJourney } from '../judge.js';
import { firstSince } from '../moment.js';
import { type PayloadFields, readPayload } from '../payload.js';
import { BACKUP_SUFFIX, COMMANDS, type Step, stepOf } from '../profiles/channel-layer.js';
import { BRACKETS } from '../transaction.js';
import type { Verdict } from '../verdict.js';
import {
  EDGE_US,
  FocusedEvidence,
  FocusedTrace,
  type Known,
  LEFT_OUT,
  type OperationsOf,
  type Span,
} from './focused-trace.js';
import type { ReadOperations } from './read-operations.js';
import type { QueueFacts } from './survey.js';
import type { SurveyIndex } from './survey-index.js';

interface GroundOfAny {
  readonly trace: Trace;
  /** What was read of it. */
  readonly read: ReadOperations;
  readonly fields: PayloadFields;
}

export interface IndexedGround extends GroundOfAny {
  readonly index: SurveyIndex;
  readonly known?: undefined;
  /** How many operations the trace has, where that is known. */
  readonly operations?: number;
  /** The looks that are tried, one after the other, where not the usual ones. */
  readonly looksUs?: readonly Reach[];
}

export interface KnownGround extends GroundOfAny {
  /** What a pass over the whole trace has shown. */
  readonly known: Known;
}

/** What is known of a trace before it is looked at. */
export type Ground = IndexedGround | KnownGround;

/** How long before and after a message was sent is looked at, microseconds. */
export type Reach = readonly [beforeUs: number, afterUs: number];

/** A poll whose time is over is answered within this time. */
export const ANSWERED_WITHIN_US = 1_000_000;
/** A departure within this time of a loss is told with it. */
const NEAR_US = 3_000_000;
/** A queue is received from so often after a message was done with: had it been put back, it would have come again. */
const STEPS_AFTER = 12;
/** Of the messages that were popped so many must be backed up: well above the half at which a missing backup proves nothing. */
const BACKED_UP_SHARE = 0.6;

/** A queue of which a look sees all within its span. */
export interface SeenQueue {
  readonly name: string;
  readonly facts: QueueFacts;
}

export class Look {
  readonly evidence: FocusedEvidence;
  readonly #judge: Judge;
  readonly #span: Span;
  readonly #queue: SeenQueue;
  /** When the first hole of the trace begins; Infinity where it has none. */
  readonly #holesFromUs: number;
  readonly #known: Known | undefined;

  /** `ids`: of the operations that it sees (`idsOf`). */
  constructor(queue: SeenQueue, span: Span, ground: Ground, ids = idsOf(queue, span, ground)) {
    const { trace, fields, known } = ground;
    const focused = new FocusedTrace(trace, ground.read, ids, span, known);
    this.evidence = new FocusedEvidence(focused, fields, known);
    this.#judge = new Judge(this.evidence);
    this.#span = span;
    this.#queue = queue;
    const holes = this.evidence.holes.filter(({ reason }) => reason !== 'redacted' && reason !== LEFT_OUT);
    this.#holesFromUs = Math.min(Number.POSITIVE_INFINITY, ...holes.map(({ fromUs }) => fromUs));
    this.#known = known;
  }

  get journeys(): readonly Journey[] {
    return this.evidence.journeys.journeys;
  }

  /** Null: the whole trace may say otherwise. */
  judgement(journey: Journey): JudgedJourney | null {
    const of = this.#known?.operationsOf(journey);
    if (of && !isAllOf(journey, of)) return null;
    this.evidence.reachedOut = false;
    const judged = this.#judge.of(journey);
    return !this.evidence.reachedOut && this.#settled(judged) ? judged : null;
  }

  #settled({ journey, ending, verdict }: JudgedJourney): boolean {
    const { payload, pops, enqueues } = journey;
    if (payload.recipients === null || !this.#showsMembers(enqueues)) return false;
    if (pops.length === 0) return this.#settledInQueue(journey, ending);
    switch (ending.at) {
      case 'acknowledge':
      case 'left':
        return this.#goesOn(journey);
      case 'pop':
        return this.#goesOn(journey) && this.#backsUp() && this.#showsConduct(ending, verdict);
      case 'backup':
      case 'unfinished':
        return this.#known !== undefined && this.#span.toUs === null;
      default:
        return false;
    }
  }

  /** Of a message that was never popped, which takes to know that it never was. */
  #settledInQueue({ queue }: Journey, ending: Ending): boolean {
    if (!this.#known?.withoutStrangers(queue)) return false;
    switch (ending.at) {
      case 'queue':
        return (ending.gone !== null || this.#span.toUs === null) && this.#showsReceiving(queue);
      case 'left':
      case 'undecided':
        return true;
      case 'enqueue':
        return ending.enqueue.acceptance === 'unsure'
          ? this.#showsFilling(ending.enqueue)
          : ending.enqueue.acceptance === 'full';
      default:
        return false;
    }
  }

  /** Does the look show what the whole trace does: that messages of this queue are received, and none of them came past the proxy? */
  #showsReceiving(name: string): boolean {
    const { journeys, models } = this.evidence;
    const shown = journeys.queues.get(name)?.journeys.some(({ pops }) => pops.length > 0);
    return shown === true && models.of(name).stranger === null;
  }

  /**
   * Redis says how many queues of this send were full: as many as its messages were never popped from, while the others were popped? Then these were
   * full, whatever else was in them.
   */
  #showsFilling({ id, full }: Enqueue): boolean {
    const { journeys, fullQueues } = this.evidence;
    const sent = journeys.journeys.flatMap((journey) =>
      journey.enqueues.filter((one) => one.id === id).map((enqueue) => ({ journey, enqueue })),
    );
    const open = sent.filter(({ journey }) => journey.pops.length === 0);
    return (
      open.length === full &&
      open.every(
        ({ journey, enqueue }) =>
          this.#known?.operationsOf(journey)?.pops === 0 && fullQueues.of(enqueue)?.was === 'full',
      )
    );
  }

  /** Is it known when each sender saw who was there: for the roll call of its group_send was within the span, or a pass has seen it, of the last send? */
  #showsMembers(enqueues: readonly Enqueue[]): boolean {
    if (this.#known) return enqueues.length <= 1;
    const sinceUs = this.#span.fromUs ?? 0;
    return enqueues.every(
      ({ by, membersReadUs }) => by === 'send' || (membersReadUs !== null && membersReadUs >= sinceUs),
    );
  }

  /** Does the span go on for long enough after the last that is known of it? */
  #goesOn(journey: Journey): boolean {
    if (this.#span.toUs === null || this.#known?.operationsOf(journey)) return true;
    const { queue, pops, backups, acknowledgements } = journey;
    const marks = [...pops, ...backups, ...acknowledgements];
    const lastUs = Math.max(...marks.map(({ requestedUs, repliedUs }) => repliedUs ?? requestedUs));
    const restores = this.evidence.journeys.queues.get(queue)?.restores ?? [];
    return restores.length - firstSince(restores, lastUs) >= STEPS_AFTER;
  }

  #backsUp(): boolean {
    const { backedUp, popped } = this.#queue.facts;
    return backedUp >= BACKED_UP_SHARE * popped;
  }

  /** How the connection that took it was used afterwards is all known. */
  #showsConduct({ pop, next }: EndAtPop, verdict: Verdict): boolean {
    const { fromUs: beganUs, toUs } = this.#span;
    if (toUs === null) return beganUs === null || this.#holesFromUs === Number.POSITIVE_INFINITY;
    if (this.#holesFromUs <= toUs) return false;
    const closedUs = this.evidence.connections.get(pop.connection)?.closedUs ?? null;
    if (closedUs !== null && closedUs < toUs) return true;
    // More requests of it, at other queues, may show that its client waits for replies.
    if (verdict === 'indeterminate') return false;
    // In step all the time, and open while the queue was polled again and again: what it did later does not matter.
    const queue = this.evidence.journeys.queues.get(pop.key);
    if (!this.#known?.inStep(pop.connection) || !queue) return false;
    const fromUs = next.repliedUs ?? next.requestedUs;
    return this.evidence.polls(queue).between(fromUs, toUs, null) > POLLS_THAT_SHOW_IT_STAYED_OPEN;
  }
}

function isAllOf(journey: Journey, of: OperationsOf): boolean {
  const { enqueues, pops, backups, refusedBackups, acknowledgements } = journey;
  return (
    refusedBackups.length === 0 &&
    enqueues.length === of.enqueues &&
    pops.length === of.pops &&
    backups.length === of.backups &&
    acknowledgements.length === of.acknowledgements
  );
}

/** The operations of a queue in a span, with what belongs to them from elsewhere, ascending. `also`: operations beside those of the queue. */
export function idsOf(
  queue: SeenQueue,
  span: Span,
  ground: Ground,
  also: readonly number[] = [],
): readonly number[] {
  const { trace, read } = ground;
  const { fromId, beforeId } = span;
  const ids = new Set<number>((ground.known ?? ground.index).everywhere());
  addAll(ids, trace.operationIds([queue.name, queue.name + BACKUP_SUFFIX], fromId, beforeId));
  addAll(ids, pollsWaiting(queue, span, ground));
  addAll(ids, also);
  if (ground.known) {
    const { known } = ground;
    for (const { transaction } of read.of(ascending(ids)))
      if (transaction !== null) addAll(ids, [transaction, ...known.endOf(transaction)]);
  } else {
    addAll(
      ids,
      read.add(trace.operations({ commands: BRACKETS, afterId: fromId - 1, untilId: beforeId - 1 })),
    );
    addMembers(ids, span, ground);
  }
  return ascending(ids);
}

/** What shows who came and went of those whom the messages of some operations are for, or near to the span; and the roll calls of their groups. */
function addMembers(ids: Set<number>, span: Span, ground: IndexedGround): void {
  const { trace, index, read, fields } = ground;
  const channels = new Set(channelsNear(span, ground));
  addAll(channels, recipientsIn(read.of(ascending(ids), MESSAGES), fields));
  const members = index.membersOf(channels);
  addAll(ids, members);
  const { memberships, seenIn } = readJourneys(partOf(read, members), fields);
  const groups = new Set([...memberships.values()].flat().map(({ group }) => group));
  for (const seen of seenIn.values()) addAll(groups, seen);
  addAll(ids, trace.operationIds([...groups], span.fromId, span.beforeId));
}

function addAll<Item>(items: Set<Item>, more: Iterable<Item>): void {
  for (const item of more) items.add(item);
}

/** What carries a message, in its request or in its reply. */
const MESSAGES = COMMANDS.filter((command) => !['ZRANGE', ...BRACKETS].includes(command));

/** Whom the messages are for that some operations carry. */
function recipientsIn(operations: Iterable<TraceOperation>, fields: PayloadFields): Set<string> {
  const seen = new Set<string>();
  const channels = new Set<string>();
  for (const operation of operations)
    for (const member of membersOf(stepOf(operation, operation.reply))) {
      const text = member.toString('latin1');
      if (seen.has(text)) continue;
      seen.add(text);
      for (const channel of readPayload(member, fields).recipients ?? []) channels.add(channel);
    }
  return channels;
}

function membersOf(step: Step | null): readonly Buffer[] {
  switch (step?.step) {
    case 'enqueue':
      return step.deliveries.map(({ member }) => member);
    case 'poll':
      return step.taken ? [step.taken.member] : [];
    case 'take':
    case 'acknowledge':
      return step.members;
    case 'backup':
      return [step.member];
    default:
      return [];
  }
}

function partOf(read: ReadOperations, ids: Iterable<number>): Pick<Trace, 'operations'> {
  const sorted = ascending(ids);
  return { operations: ({ commands } = {}) => read.of(sorted, commands) };
}

function ascending(ids: Iterable<number>): number[] {
  return [...ids].sort((a, b) => a - b);
}

/** Polls that were asked for before the span and not answered when it begins. */
function* pollsWaiting(
  { name, facts: { pollUs } }: SeenQueue,
  { fromUs, fromId }: Span,
  { trace, known }: Ground,
): Generator<number> {
  if (fromUs === null) return;
  // Its first operations are from a little before.
  const atUs = fromUs - EDGE_US;
  if (known) {
    yield* known.pollsWaiting(name, fromId, atUs);
    return;
  }
  const before = [...trace.operationIds([name], trace.idAt(atUs - pollUs - ANSWERED_WITHIN_US), fromId)];
  for (const { id, repliedUs } of trace.operations({ commands: ['BZPOPMIN'], ids: before }))
    if (repliedUs === null || repliedUs >= atUs) yield id;
}

/** Channels that came or went within the span or near to it. */
function channelsNear({ fromId, beforeId, fromUs, toUs }: Span, { trace, index }: IndexedGround): string[] {
  return index.channelsBetween(
    fromUs === null ? fromId : trace.idAt(fromUs - NEAR_US),
    toUs === null ? beforeId : trace.idAt(toUs + NEAR_US),
  );
}
