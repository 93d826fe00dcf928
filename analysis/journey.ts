/**
 * The journey of a message: the facts of one member in one queue, in order. Built in one pass over a trace; nothing
 * is judged here. A message sent to two processes has two members, each with its own journey: the unit of loss
 * is (message, queue), because one process takes a member once for all its consumers.
 */
import type { Reply, Trace, TraceOperation } from '../proxy/trace/trace.js';
import { type Acceptance, acceptanceOf } from './acceptance.js';
import { append, setOf } from './append.js';
import { type Mark, markOf } from './mark.js';
import { DEFAULT_FIELDS, type Payload, type PayloadFields, readPayload } from './payload.js';
import { QueuePlaces } from './places.js';
import { COMMANDS, isProcessQueue, type Step, stepOf } from './profiles/channel-layer.js';
import { UPKEEP_COMMANDS } from './profiles/queue-upkeep.js';
import { Transactions } from './transaction.js';
import { type QueueUpkeep, UpkeepReader } from './upkeep.js';

export { type Mark, markOf } from './mark.js';

export interface Enqueue extends Mark {
  readonly by: 'group_send' | 'send';
  readonly acceptance: Acceptance;
  /** Redis' own words where it refused. */
  readonly error: string | null;
  /** Position in the queue: the sender's clock, in seconds. */
  readonly score: number;
  /** Since when its recipients are known to have been members: the ZRANGE that showed them last; null where none did. */
  readonly membersReadUs: number | null;
  /** Seconds that the script lets the queue live; null where it was not said. */
  readonly expiry: number | null;
  /** The queue's capacity as the script was told; null for a plain ZADD. */
  readonly capacity: number | null;
  /** How many of its queues the script found full; null where it does not say. */
  readonly full: number | null;
}

export interface Journey {
  readonly queue: string;
  readonly member: Buffer;
  /** Its recipients are filled in later where it does not say them and the roll calls do (unnamed-recipients.ts). */
  payload: Payload;
  readonly enqueues: Enqueue[];
  /** Polls that brought it, in the order of their replies. */
  readonly pops: Mark[];
  /** ZADD I m, on any connection; or the pop itself, where a script does both. */
  readonly backups: Mark[];
  /** Backups that Redis refused: whoever popped it had it, and may have handed it on or not. */
  readonly refusedBackups: Mark[];
  /** ZPOPMIN I that took it out of the backup, or a ZREM that names it. */
  readonly acknowledgements: Mark[];
}

/** What happened to one queue, in the order of requests. */
export interface QueueHistory {
  readonly name: string;
  /** Its Redis key. The name says more where several hosts have that key. */
  readonly key: string;
  /** Every step of receiving: polls and restores. */
  readonly receives: Mark[];
  readonly restores: Mark[];
  /** Polls that Redis answered with nothing: it was empty when they began. */
  readonly emptyPolls: Mark[];
  /** Polls whose reply is not known: nobody saw what they took, if anything. */
  readonly openPolls: Mark[];
  /** The longest that a poll of it asked to wait, microseconds; 0 where none said. */
  pollUs: number;
  readonly upkeep: QueueUpkeep[];
  /** Acknowledgements whose reply is not known. */
  readonly openAcknowledgements: Mark[];
  /** Every acknowledgement, also one that took nothing, because the message had been put back. */
  readonly acknowledgements: Mark[];
  readonly journeys: Journey[];
}

export interface Membership {
  readonly group: string;
  readonly channel: string;
  readonly joined: boolean;
  readonly atUs: number;
  readonly mark: Mark;
}

export interface Journeys {
  readonly journeys: readonly Journey[];
  readonly queues: ReadonlyMap<string, QueueHistory>;
  /** Per channel, joins and leaves in the order of requests. */
  readonly memberships: ReadonlyMap<string, readonly Membership[]>;
  /** Per channel, the groups in which some ZRANGE showed it. */
  readonly seenIn: ReadonlyMap<string, ReadonlySet<string>>;
  /** Connections that touch each queue or its backup: a hole in another's replies hides nothing of that queue. */
  readonly connectionsOf: ReadonlyMap<string, ReadonlySet<number>>;
}

const READ = [...new Set([...COMMANDS, ...UPKEEP_COMMANDS])];

/** Reads a whole trace. Memory grows with the number of messages in it. */
export function readJourneys(
  trace: Pick<Trace, 'operations'>,
  fields: PayloadFields = DEFAULT_FIELDS,
): Journeys {
  const builder = new JourneyBuilder(fields, new QueuePlaces(trace));
  const transactions = new Transactions();
  for (const operation of trace.operations({ commands: READ })) {
    const { transaction } = operation;
    if (transaction === null) builder.add(operation, operation.reply, stepOf(operation, operation.reply));
    else
      for (const [ended, reply] of transactions.ended(operation, transaction))
        builder.add(ended, reply, stepOf(ended, reply));
  }
  return builder.done();
}

/** Journeys from the steps of a trace, in the order in which they took effect. */
export class JourneyBuilder {
  readonly #fields: PayloadFields;
  readonly #places: QueuePlaces;
  readonly #journeys = new Map<string, Journey>();
  readonly #queues = new Map<string, QueueHistory>();
  readonly #recipients = new Map<string, readonly string[]>();
  readonly #memberships = new Map<string, Membership[]>();
  readonly #seenIn = new Map<string, Set<string>>();
  /** Per channel, when a ZRANGE last showed it as a member. */
  readonly #shownUs = new Map<string, number>();
  readonly #connectionsOf = new Map<string, Set<number>>();
  readonly #upkeep: UpkeepReader;

  constructor(fields: PayloadFields, places: QueuePlaces) {
    this.#fields = fields;
    this.#places = places;
    this.#upkeep = new UpkeepReader(
      this.#queues,
      (key, operation) => this.#queue(places.nameOf(key, operation.connection), operation),
      (connection) => places.hostOf(connection),
    );
  }

  /** `meant`: what the operation means, as `stepOf` says. */
  add(operation: TraceOperation, reply: Reply | null, meant: Step | null): void {
    if (meant === null) {
      this.#upkeep.add(operation, reply);
      return;
    }
    const step = this.#places.placed(meant, operation.connection);
    switch (step.step) {
      case 'enqueue':
        this.#enqueued(operation, reply, step);
        return;
      case 'poll':
        this.#polled(operation, reply, step);
        return;
      case 'restore': {
        const queue = this.#queue(step.queue, operation);
        const mark = markOf(operation, step.queue);
        queue.receives.push(mark);
        if (reply?.kind !== 'error') queue.restores.push(mark);
        return;
      }
      case 'backup': {
        this.#queue(step.queue, operation);
        const { backups, refusedBackups } = this.#journey(step.queue, step.member);
        const mark = markOf(operation, `${step.queue}$inflight`);
        (reply?.kind === 'error' ? refusedBackups : backups).push(mark);
        return;
      }
      case 'acknowledge': {
        const queue = this.#queue(step.queue, operation);
        const mark = markOf(operation, `${step.queue}$inflight`);
        queue.acknowledgements.push(mark);
        for (const member of step.members) this.#journey(step.queue, member).acknowledgements.push(mark);
        if (step.members.length === 0 && reply === null) queue.openAcknowledgements.push(mark);
        return;
      }
      case 'take':
        this.#taken(operation, reply, step);
        return;
      case 'join':
      case 'leave': {
        if (reply?.kind === 'error') return;
        const membership = {
          group: step.group,
          channel: step.channel,
          joined: step.step === 'join',
          atUs: operation.requestedUs,
          mark: markOf(operation, step.group),
        };
        append(this.#memberships, step.channel, membership);
        return;
      }
      case 'members':
        for (const channel of step.channels) {
          this.#shownUs.set(channel, operation.requestedUs);
          setOf(this.#seenIn, channel).add(step.group);
        }
    }
  }

  #enqueued(operation: TraceOperation, reply: Reply | null, step: Extract<Step, { step: 'enqueue' }>): void {
    const acceptance = acceptanceOf(reply, step);
    const full = step.by === 'group_send' && reply?.kind === 'integer' ? Number(reply.value) : null;
    for (const { queue, member, capacity } of step.deliveries) {
      this.#queue(queue, operation);
      const journey = this.#journey(queue, member);
      // Field by field: spreading a mark takes ten times as long, and there are as many as messages.
      journey.enqueues.push({
        id: operation.id,
        connection: operation.connection,
        command: operation.command,
        key: queue,
        requestedUs: operation.requestedUs,
        repliedUs: operation.repliedUs,
        flushedUs: operation.flushedUs,
        by: step.by,
        acceptance,
        error: reply?.kind === 'error' ? reply.text : null,
        score: step.score,
        membersReadUs: step.by === 'group_send' ? this.membersReadUs(journey.payload.recipients) : null,
        expiry: step.expiry,
        capacity,
        full,
      });
    }
  }

  /** As an Enqueue for these recipients has it now. */
  membersReadUs(recipients: readonly string[] | null): number | null {
    let readUs: number | null = null;
    for (const channel of recipients ?? []) {
      const shownUs = this.#shownUs.get(channel);
      if (shownUs === undefined) return null;
      readUs = Math.min(readUs ?? shownUs, shownUs);
    }
    return readUs;
  }

  #polled(operation: TraceOperation, reply: Reply | null, step: Extract<Step, { step: 'poll' }>): void {
    for (const name of step.queues) {
      const queue = this.#queue(name, operation);
      const mark = markOf(operation, name);
      queue.receives.push(mark);
      if (isNothing(reply)) queue.emptyPolls.push(mark);
      else if (reply === null) queue.openPolls.push(mark);
      queue.pollUs = Math.max(queue.pollUs, step.seconds * 1e6 || 0);
    }
    if (step.taken)
      this.#journey(step.taken.queue, step.taken.member).pops.push(markOf(operation, step.taken.queue));
  }

  /** One script pops and backs up: the same operation is both for each member. */
  #taken(operation: TraceOperation, reply: Reply | null, step: Extract<Step, { step: 'take' }>): void {
    const queue = this.#queue(step.queue, operation);
    const mark = markOf(operation, step.queue);
    queue.receives.push(mark);
    if (isNothing(reply)) queue.emptyPolls.push(mark);
    else if (reply === null) queue.openPolls.push(mark);
    for (const member of step.members) {
      const journey = this.#journey(step.queue, member);
      journey.pops.push(mark);
      journey.backups.push(mark);
    }
  }

  #queue(name: string, operation: TraceOperation): QueueHistory {
    let queue = this.#queues.get(name);
    if (!queue) {
      queue = {
        ...{ name, receives: [], restores: [], emptyPolls: [], openPolls: [], pollUs: 0, upkeep: [] },
        ...{ key: this.#places.keyOf(name), openAcknowledgements: [], acknowledgements: [], journeys: [] },
      };
      this.#queues.set(name, queue);
      this.#connectionsOf.set(name, new Set());
    }
    this.#connectionsOf.get(name)?.add(operation.connection);
    this.#upkeep.touched(queue, operation.connection);
    return queue;
  }

  #journey(queue: string, member: Buffer): Journey {
    const key = `${queue}\n${member.toString('latin1')}`;
    let journey = this.#journeys.get(key);
    if (!journey) {
      const read = readPayload(member, this.#fields);
      const payload = { ...read, recipients: this.#kept(read.recipients) };
      journey = {
        queue,
        member: Buffer.from(member),
        payload,
        enqueues: [],
        pops: [],
        backups: [],
        refusedBackups: [],
        acknowledgements: [],
      };
      this.#journeys.set(key, journey);
      this.#queues.get(queue)?.journeys.push(journey);
    }
    return journey;
  }

  /** The same list for the same recipients: they are those of many messages. */
  #kept(recipients: Payload['recipients']): Payload['recipients'] {
    if (recipients === null) return null;
    const key = recipients.join('\n');
    const known = this.#recipients.get(key);
    if (known) return known;
    this.#recipients.set(key, recipients);
    return recipients;
  }

  done(): Journeys {
    // Sorted sets and BZPOPMIN serve other applications too: a queue is the layer's by its name, or, where it is a general channel, by
    // being received as the layer receives: polled, and put back from its backup or backed up.
    for (const [name, queue] of this.#queues)
      if (!isProcessQueue(queue.key) && !isReceivedByLayer(queue)) this.#queues.delete(name);
    const journeys = [...this.#journeys.values()].filter((journey) => this.#queues.has(journey.queue));
    for (const journey of journeys)
      journey.pops.sort((a, b) => (a.repliedUs ?? 0) - (b.repliedUs ?? 0) || a.id - b.id);
    return {
      journeys,
      queues: this.#queues,
      memberships: this.#memberships,
      seenIn: this.#seenIn,
      connectionsOf: this.#connectionsOf,
    };
  }
}

function isReceivedByLayer({ receives, restores, journeys }: QueueHistory): boolean {
  if (receives.length === restores.length) return false; // never polled
  return restores.length > 0 || journeys.some(({ backups }) => backups.length > 0);
}

/** Nothing there: a null, or an empty array. An error, or a reply that was cut, proves nothing. */
export function isNothing(reply: Reply | null): boolean {
  return reply?.kind === 'null' || (reply?.kind === 'array' && reply.items.length === 0);
}
