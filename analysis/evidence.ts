/**
 * What the judges may look at: the journeys, the connections with their closes, the holes, and the beat of single
 * connections, read from the trace when asked for. Holds no judgement but one: who was still there.
 */
import {
  RETENTION,
  type Trace,
  type TraceConnection,
  type TraceHole,
  type TraceOperation,
} from '../proxy/trace/trace.js';
import { append } from './append.js';
import { type ConnectionUse, connectionUses } from './connection-uses.js';
import { Departures } from './departures.js';
import { FullQueues } from './fullness.js';
import { HiddenByHoles } from './hidden.js';
import { type Enqueue, type Journey, type Journeys, type QueueHistory, readJourneys } from './journey.js';
import { type Beat, type Episode, outOfStepEpisodes } from './out-of-step.js';
import { DEFAULT_FIELDS, type PayloadFields } from './payload.js';
import { Polls } from './polls.js';
import { Presence } from './presence.js';
import { stepOf } from './profiles/channel-layer.js';
import { QueueModels } from './queue-model.js';
import { Readers } from './readers.js';
import { ReceiveLoops } from './receive-loops.js';
import { RedisSamples } from './redis-samples.js';
import { RollCalls } from './roll-calls.js';
import { EVERYTHING, type Scope, within } from './scope.js';
import { type MayBeFor, nameRecipients } from './unnamed-recipients.js';

export interface Span {
  readonly fromUs: number;
  readonly toUs: number;
}

/** Every request of one connection in order, and when it was out of step. */
export interface Conduct {
  readonly beats: readonly Beat[];
  readonly episodes: readonly Episode[];
}

/** What joins, leaves and roll calls show. */
export interface ComesAndGoes {
  readonly departures: Departures;
  readonly presence: Presence;
}

/** Between ZRANGE and the script of one group_send. */
export const READ_MEMBERS_WITHIN_US = 1_000_000;

export class Evidence {
  readonly trace: Trace;
  /** Whose queues, groups and channels are judged. */
  readonly scope: Scope;
  readonly journeys: Journeys;
  /** What each queue can have held, and when. */
  readonly models: QueueModels;
  readonly fullQueues: FullQueues;
  readonly readers: Readers;
  /** What Redis said of itself while the trace was recorded. */
  readonly samples: RedisSamples;
  readonly connections: ReadonlyMap<number, TraceConnection>;
  readonly holes: readonly TraceHole[];
  readonly departures: Departures;
  /** Wall clock of time 0, microseconds since 1970. */
  readonly startedUnixUs: number;
  /** Before this moment the trace knows nothing any more: 0, or where it was cut to be kept small. Of several: of the last one. */
  readonly beginUs: number;
  /** The last moment that the trace knows of. */
  readonly endUs: number;
  /** What the recorder added each way, microseconds. */
  readonly latencyUs: number;
  /** Of messages whose recipients are not known: whom they may have been for. */
  readonly mayBeFor: ReadonlyMap<Journey, MayBeFor>;
  readonly #presence: Presence;
  readonly #hidden: HiddenByHoles;
  readonly #conduct = new Map<number, Conduct>();
  readonly #loops = new Map<QueueHistory, ReceiveLoops>();
  readonly #polls = new Map<QueueHistory, Polls>();
  #rollCalls: RollCalls | undefined;
  #uses: ReadonlyMap<number, ConnectionUse> | undefined;

  /** `journeys`, and who `comesAndGoes`: where they were read before. */
  constructor(
    trace: Trace,
    fields: PayloadFields = DEFAULT_FIELDS,
    scope: Scope = EVERYTHING,
    journeys: Journeys = readJourneys(trace, fields),
    comesAndGoes?: ComesAndGoes,
  ) {
    this.trace = trace;
    this.scope = scope;
    this.journeys = within(scope, journeys);
    this.connections = new Map([...trace.connections()].map((connection) => [connection.id, connection]));
    this.holes = [...trace.holes()];
    this.latencyUs = Number(trace.meta.get('latency_us') ?? 0);
    this.mayBeFor = nameRecipients(this);
    this.departures = comesAndGoes?.departures ?? new Departures(this.journeys);
    this.#presence = comesAndGoes?.presence ?? new Presence(this.journeys);
    this.#hidden = new HiddenByHoles(this.holes, trace, this.journeys.connectionsOf);
    this.startedUnixUs = trace.startedUnixUs;
    this.beginUs = beginOf(this.holes);
    this.endUs = trace.watermarkUs;
    this.models = new QueueModels(this.journeys.queues, this.connections, this.endUs);
    this.fullQueues = new FullQueues(
      this.journeys.queues,
      this.models,
      (queue, span) => this.holesHidingWhatWaits(queue, span).next().done === false,
    );
    this.readers = new Readers(this.connections, this.endUs, (queue) => this.connectionsReading(queue));
    this.samples = new RedisSamples(trace.samples());
  }

  /** Reads how these connections were used in one pass, before each is asked for. `lostPops` as below. */
  readConducts(connections: ReadonlySet<number>, lostPops: ReadonlySet<number>): void {
    const beats = new Map<number, { readonly sequence: number; readonly beat: Beat }[]>();
    for (const operation of this.trace.operations({ connections: [...connections] }))
      append(beats, operation.connection, {
        sequence: operation.sequence,
        beat: beatOf(operation, lostPops),
      });
    for (const [connection, list] of beats) {
      list.sort((a, b) => a.sequence - b.sequence);
      const own = list.map(({ beat }) => beat);
      this.#conduct.set(connection, { beats: own, episodes: outOfStepEpisodes(own) });
    }
  }

  /** How a connection was used. `lostPops` are operation ids, the same ones at every call: the first answer is kept. */
  conduct(connection: number, lostPops: ReadonlySet<number>): Conduct {
    let conduct = this.#conduct.get(connection);
    if (!conduct) {
      const { firstId = 1, lastId = 0 } = this.uses.get(connection) ?? {};
      const own = this.trace.operations({ connection, afterId: firstId - 1, untilId: lastId });
      const beats = [...own]
        .sort((a, b) => a.sequence - b.sequence)
        .map((operation) => beatOf(operation, lostPops));
      conduct = { beats, episodes: outOfStepEpisodes(beats) };
      this.#conduct.set(connection, conduct);
    }
    return conduct;
  }

  /** Who reads a queue. */
  loops(queue: QueueHistory): ReceiveLoops {
    let loops = this.#loops.get(queue);
    if (!loops) {
      loops = new ReceiveLoops(queue);
      this.#loops.set(queue, loops);
    }
    return loops;
  }

  /** When a queue was polled. */
  polls(queue: QueueHistory): Polls {
    let polls = this.#polls.get(queue);
    if (!polls) {
      polls = new Polls(queue, this.connections, this.endUs);
      this.#polls.set(queue, polls);
    }
    return polls;
  }

  /** How each connection was used on the whole. Read from the trace when first asked for. */
  get uses(): ReadonlyMap<number, ConnectionUse> {
    this.#uses ??= connectionUses(this.trace);
    return this.#uses;
  }

  /** Who was asked into each group_send. Read from the trace when first asked for: few questions need it. */
  get rollCalls(): RollCalls {
    this.#rollCalls ??= new RollCalls(this.trace, this.journeys.journeys, this.scope);
    return this.#rollCalls;
  }

  /** Holes that could hide an operation on this queue within the span; each looked for when it is asked for. */
  holesHiding(queue: string, span: Span): Generator<TraceHole, undefined> {
    return this.#hidden.ofQueue(queue, span);
  }

  /** Those that could hide a pop of this message within the span. */
  holesHidingPops({ queue }: Journey, span: Span): Generator<TraceHole, undefined> {
    return this.holesHiding(queue, span);
  }

  /** Those that could hide how a connection was used, and what a queue's receivers did, within the span. */
  holesHidingConduct(_connection: number, queue: string, span: Span): Generator<TraceHole, undefined> {
    return this.holesHiding(queue, span);
  }

  /** Those that could hide what a queue held at the end of the span. */
  holesHidingWhatWaits(queue: string, span: Span): Generator<TraceHole, undefined> {
    return this.holesHiding(queue, span);
  }

  /** Connections of the process that reads a queue, where more is known of them than the journeys show. */
  connectionsReading(_queue: QueueHistory): readonly TraceConnection[] | null {
    return null;
  }

  /** Is it known from elsewhere that this message was delivered, and needs no judge? */
  isPlain(_journey: Journey): boolean {
    return false;
  }

  /** Could any hole hide one? */
  isHidden(queue: string, span: Span): boolean {
    return this.holesHiding(queue, span).next().done === false;
  }

  /**
   * Holes that could hide that somebody it is for came or went before a moment. A group_send has read who is a member
   * (ZRANGE) before it sent; of a message that was sent otherwise, what was last seen of each recipient is all that is known.
   */
  holesHidingWhoIsThere({ enqueues, payload }: Journey, atUs: number): Iterable<TraceHole> {
    const { recipients } = payload;
    if (recipients === null) return [];
    const enqueue = enqueues.at(-1);
    if (enqueue?.by === 'group_send') return this.requestsHidden(memberSinceUs(enqueue), atUs);
    const lastSeen = recipients.map((each) => this.#presence.lastSeenUs(each, atUs));
    return this.requestsHidden(Math.min(...lastSeen), atUs);
  }

  /** Holes that could hide requests: they say who comes and goes. */
  requestsHidden(fromUs: number, toUs: number): Iterable<TraceHole> {
    return this.#hidden.ofRequests(fromUs, toUs);
  }

  /** Those of the recipients who were still there. Null: the message does not say who it was for. */
  present(recipients: readonly string[] | null, atUs: number, sinceUs = 0): readonly string[] | null {
    return recipients?.filter((channel) => !this.#presence.hasLeft(channel, atUs, sinceUs)) ?? null;
  }

  /** The same of a message, whose group_send had read who is a member: who had left before that was back. */
  presentFor({ enqueues, payload: { recipients } }: Journey, atUs: number): readonly string[] | null {
    const present = this.present(recipients, atUs);
    const enqueue = enqueues.at(-1);
    if (!recipients || present?.length === recipients.length || enqueue?.by !== 'group_send') return present;
    return this.present(recipients, atUs, memberSinceUs(enqueue));
  }

  /** The group by whose membership the recipients were chosen: the one that all of them were seen in. */
  groupOf(recipients: readonly string[] | null): string | null {
    return recipients && this.#presence.groupOf(recipients);
  }

  /** What the client on a connection says it is. */
  clientLibrary(connection: number): string | null {
    const known = this.connections.get(connection);
    if (!known?.libraryName) return null;
    return known.libraryVersion ? `${known.libraryName} ${known.libraryVersion}` : known.libraryName;
  }
}

/** Since when the recipients of a group_send are known to have been members. */
function memberSinceUs({ membersReadUs, requestedUs }: Enqueue): number {
  return membersReadUs ?? requestedUs - READ_MEMBERS_WITHIN_US;
}

function beatOf(operation: TraceOperation, lostPops: ReadonlySet<number>): Beat {
  return {
    id: operation.id,
    command: operation.command,
    requestedUs: operation.requestedUs,
    repliedUs: operation.repliedUs,
    flushedUs: operation.flushedUs,
    pipelined: operation.pipelined,
    inTransaction: operation.transaction !== null,
    answered: operation.replyKind !== 'none',
    receive: receiveOf(operation, lostPops),
  };
}

function receiveOf(operation: TraceOperation, lostPops: ReadonlySet<number>): Beat['receive'] {
  const step = operation.transaction === null ? stepOf(operation, operation.reply) : null;
  switch (step?.step) {
    case 'poll':
      if (!step.taken) return null;
      return { step: 'pop', member: step.taken.member.toString('latin1'), lost: lostPops.has(operation.id) };
    case 'backup':
      return { step: 'backup', member: step.member.toString('latin1') };
    case 'acknowledge':
      return { step: 'acknowledge' };
    default:
      return null;
  }
}

/** Where a trace begins, when what was older has been dropped (--retain); 0: at its start. */
export function beginOf(holes: readonly TraceHole[]): number {
  return Math.max(0, ...holes.filter(({ reason }) => reason === RETENTION).map(({ toUs }) => toUs ?? 0));
}
