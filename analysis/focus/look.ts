/**
 * A look at a part of a trace: everything that concerns one queue within a span of time, and what is needed from elsewhere to judge by it. Tells
 * how its messages are judged there, and whether the judgement of the whole trace would be the same.
 *
 * The rule is: where nobody asked about what was left out, nothing that was left out could have changed the answer. The exceptions, which
 * the judges do not ask holes about, are those of `settled`.
 */
import type { Trace } from '../../proxy/trace/trace.js';
import type { EndAtPop } from '../ending.js';
import { type Enqueue, type Journey, readJourneys } from '../journey.js';
import { Judge, type JudgedJourney } from '../judge.js';
import { firstSince } from '../moment.js';
import type { PayloadFields } from '../payload.js';
import { BACKUP_SUFFIX } from '../profiles/channel-layer.js';
import { FocusedEvidence, FocusedTrace, type Span } from './focused-trace.js';
import type { ReadOperations } from './read-operations.js';
import type { QueueFacts } from './survey.js';
import type { SurveyIndex } from './survey-index.js';

export interface Ground {
  readonly trace: Trace;
  /** What was read of it. */
  readonly read: ReadOperations;
  readonly index: SurveyIndex;
  readonly fields: PayloadFields;
  /** How many operations the trace has, where that is known. */
  readonly operations?: number;
  /** The looks that are tried, one after the other, where not the usual ones. */
  readonly looksUs?: readonly Reach[];
}

/** How long before and after a message was sent is looked at, microseconds. */
export type Reach = readonly [beforeUs: number, afterUs: number];

/** A poll whose time is over is answered within this time. */
const ANSWERED_WITHIN_US = 1_000_000;
/** A departure within this time of a loss is told with it. */
const NEAR_US = 3_000_000;
/** A queue is received from so often after a message was done with: had it been put back, it would have come again. */
const STEPS_AFTER = 12;
/** Of the messages that were popped so many must be backed up: well above the half at which a missing backup proves nothing. */
const BACKED_UP_SHARE = 0.6;

export class Look {
  readonly evidence: FocusedEvidence;
  readonly #judge: Judge;
  readonly #span: Span;
  readonly #facts: QueueFacts;
  readonly #hasHoles: boolean;

  constructor(queue: string, facts: QueueFacts, span: Span, ground: Ground) {
    const { trace, fields } = ground;
    const focused = new FocusedTrace(trace, ground.read, idsOf(queue, facts, span, ground), span);
    this.evidence = new FocusedEvidence(focused, fields);
    this.#judge = new Judge(this.evidence);
    this.#span = span;
    this.#facts = facts;
    this.#hasHoles = [...trace.holes()].some(({ reason }) => reason !== 'redacted');
  }

  get journeys(): readonly Journey[] {
    return this.evidence.journeys.journeys;
  }

  /** Null: the whole trace may say otherwise. */
  judgement(journey: Journey): JudgedJourney | null {
    this.evidence.reachedOut = false;
    const judged = this.#judge.of(journey);
    return !this.evidence.reachedOut && this.#settled(judged) ? judged : null;
  }

  #settled({ journey, ending }: JudgedJourney): boolean {
    const { payload, pops, enqueues } = journey;
    if (pops.length === 0 || payload.recipients === null || !enqueues.every((one) => this.#showsMembers(one)))
      return false;
    switch (ending.at) {
      case 'acknowledge':
      case 'left':
        return this.#goesOn(journey);
      case 'pop':
        return this.#goesOn(journey) && this.#backsUp() && this.#showsConduct(ending);
      default:
        return false;
    }
  }

  /** Was the roll call of a group_send within the span? */
  #showsMembers({ by, membersReadUs }: Enqueue): boolean {
    return by === 'send' || (membersReadUs !== null && membersReadUs >= (this.#span.fromUs ?? 0));
  }

  /** Does the span go on for long enough after the last that is known of it? */
  #goesOn({ queue, pops, backups, acknowledgements }: Journey): boolean {
    if (this.#span.toUs === null) return true;
    const marks = [...pops, ...backups, ...acknowledgements];
    const lastUs = Math.max(...marks.map(({ requestedUs, repliedUs }) => repliedUs ?? requestedUs));
    const restores = this.evidence.journeys.queues.get(queue)?.restores ?? [];
    return restores.length - firstSince(restores, lastUs) >= STEPS_AFTER;
  }

  #backsUp(): boolean {
    return this.#facts.backedUp >= BACKED_UP_SHARE * this.#facts.popped;
  }

  /** How the connection that took it was used afterwards is all known. */
  #showsConduct({ pop }: EndAtPop): boolean {
    if (this.#hasHoles) return false;
    const { toUs } = this.#span;
    const closedUs = this.evidence.connections.get(pop.connection)?.closedUs ?? null;
    return toUs === null || (closedUs !== null && closedUs < toUs);
  }
}

/** The operations of a queue in a span, with what belongs to them from elsewhere, ascending. */
function idsOf(queue: string, facts: QueueFacts, span: Span, ground: Ground): number[] {
  const { trace, index, read, fields } = ground;
  const { fromId, beforeId } = span;
  const ids = new Set<number>(index.everywhere());
  const addAll = (more: Iterable<number>): void => {
    for (const id of more) ids.add(id);
  };
  addAll(trace.operationIds([queue, queue + BACKUP_SUFFIX], fromId, beforeId));
  addAll(waitingPolls(queue, facts, span, trace));
  addAll(read.add(trace.operations({ commands: ENDS, afterId: fromId - 1, untilId: beforeId - 1 })));
  const channels = new Set(channelsNear(span, ground));
  for (const { payload } of readJourneys(partOf(read, ids), fields).journeys)
    for (const channel of payload.recipients ?? []) channels.add(channel);
  const members = index.membersOf(channels);
  addAll(members);
  const { memberships, seenIn } = readJourneys(partOf(read, members), fields);
  const groups = new Set([...memberships.values()].flat().map(({ group }) => group));
  for (const seen of seenIn.values()) for (const group of seen) groups.add(group);
  addAll(trace.operationIds([...groups], fromId, beforeId));
  return ascending(ids);
}

/** EXEC names no key. */
const ENDS = ['EXEC', 'DISCARD'];

function partOf(read: ReadOperations, ids: Iterable<number>): Pick<Trace, 'operations'> {
  const sorted = ascending(ids);
  return { operations: ({ commands } = {}) => read.of(sorted, commands) };
}

function ascending(ids: Iterable<number>): number[] {
  return [...ids].sort((a, b) => a - b);
}

/** Polls that were asked for before the span and not answered when it begins. */
function* waitingPolls(queue: string, { pollUs }: QueueFacts, span: Span, trace: Trace): Generator<number> {
  const { fromUs, fromId } = span;
  if (fromUs === null) return;
  const before = [...trace.operationIds([queue], trace.idAt(fromUs - pollUs - ANSWERED_WITHIN_US), fromId)];
  for (const { id, repliedUs } of trace.operations({ commands: ['BZPOPMIN'], ids: before }))
    if (repliedUs === null || repliedUs >= fromUs) yield id;
}

/** Channels that came or went within the span or near to it. */
function channelsNear({ fromId, beforeId, fromUs, toUs }: Span, { trace, index }: Ground): string[] {
  return index.channelsBetween(
    fromUs === null ? fromId : trace.idAt(fromUs - NEAR_US),
    toUs === null ? beforeId : trace.idAt(toUs + NEAR_US),
  );
}
