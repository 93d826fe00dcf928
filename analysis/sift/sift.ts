/**
 * One pass over a trace that tells the messages that were plainly delivered from all others. Plain is: put into its queue once, popped once, backed up
 * once, acknowledged once, each after the other, where no hole comes near, for somebody who never left: of such a message the judges say `delivered`,
 * whatever else is in the trace. It is counted and forgotten; the others are suspects, and are judged by what the trace shows around them.
 *
 * Memory grows with the messages under way and the suspects, and by some 60 bytes for each plain message.
 *
 * Some traces cannot be sifted: where messages do not say whom they are for, are sent past the core layer, or are sent one by one (`send`), and where
 * queues are general channels, are lists, or are changed by hand. `refused` says why.
 */
import type { Reply, Trace, TraceConnection, TraceHole, TraceOperation } from '../../proxy/trace/trace.js';
import { acceptanceOf } from '../acceptance.js';
import { ConnectionUses } from '../connection-uses.js';
import { READ_MEMBERS_WITHIN_US } from '../evidence.js';
import { SEVERAL_READERS, SeveralReaders } from '../focus/several-readers.js';
import { Clocks } from '../hints/clocks.js';
import { isNothing, JourneyBuilder } from '../journey.js';
import { type Mark, markOf } from '../mark.js';
import { DEFAULT_FIELDS } from '../payload.js';
import { QueuePlaces } from '../places.js';
import { BACKUP_SUFFIX, isProcessQueue, type Step, stepOf } from '../profiles/channel-layer.js';
import { pubSubStepOf } from '../profiles/pubsub.js';
import { upkeepOf } from '../profiles/queue-upkeep.js';
import { Transactions } from '../transaction.js';
import { ChannelsSeen } from './channels-seen.js';
import { hashOf, type Innocent, Innocents } from './innocents.js';
import { NOBODY_NAMED, RecipientLists } from './recipient-lists.js';
import { SiftedQueue } from './sifted-queue.js';
import { newMessage, type UnderWay } from './under-way.js';

/** More suspects than this are no exception. */
const MOST_SUSPECTS = 200_000;

export class Sift {
  readonly queues = new Map<string, SiftedQueue>();
  readonly innocents = new Innocents();
  readonly uses = new ConnectionUses();
  readonly clocks: Clocks;
  /** Joins and leaves, and roll calls. */
  readonly groups: JourneyBuilder;
  /** Operations without keys that may concern every queue. */
  readonly everywhere: number[] = [];
  /** Of each transaction the operation by which it ended. */
  readonly ends = new Map<number, number>();
  readonly recipients = new RecipientLists();
  /** How many operations there were. */
  operations = 0;
  /** Why this trace cannot be sifted; null where it can. */
  refused: string | null = null;

  readonly #trace: Pick<Trace, 'operation'>;
  readonly #connections: ReadonlyMap<number, TraceConnection>;
  readonly #holes: readonly TraceHole[];
  readonly #transactions = new Transactions();
  readonly #readers = new SeveralReaders();
  readonly #byNumber: SiftedQueue[] = [];
  readonly #channels = new ChannelsSeen();
  #messages = 0;

  constructor(
    trace: Pick<Trace, 'operation' | 'operations' | 'startedUnixUs'>,
    connections: ReadonlyMap<number, TraceConnection>,
    holes: readonly TraceHole[],
  ) {
    this.#trace = trace;
    this.#connections = connections;
    this.#holes = holes.filter(({ reason }) => reason !== 'redacted');
    this.clocks = new Clocks(trace.startedUnixUs);
    this.groups = new JourneyBuilder(DEFAULT_FIELDS, new QueuePlaces(trace));
  }

  /** The next operation of the trace. */
  add(operation: TraceOperation): void {
    this.operations++;
    this.uses.add(operation);
    const { transaction } = operation;
    if (transaction === null) this.#take(operation, operation.reply);
    else {
      if (operation.command === 'EXEC' || operation.command === 'DISCARD')
        this.ends.set(transaction, operation.id);
      for (const [ended, reply] of this.#transactions.ended(operation, transaction)) this.#take(ended, reply);
    }
  }

  /** The trace is over, at this moment. */
  end(endUs: number): void {
    for (const queue of this.queues.values()) queue.end(endUs);
  }

  /** Connections that touch each queue or its backup. */
  connectionsOf(): ReadonlyMap<string, ReadonlySet<number>> {
    return new Map([...this.queues].map(([name, { connections }]) => [name, connections]));
  }

  queueOf(number: number): SiftedQueue {
    return this.#byNumber[number] as SiftedQueue;
  }

  *suspects(): Generator<readonly [SiftedQueue, UnderWay]> {
    for (const queue of this.queues.values()) for (const message of queue.underWay) yield [queue, message];
  }

  /** Ids of what received a message that an operation sent. */
  operationsOf(queue: SiftedQueue, member: Buffer, enqueue: number): number[] {
    const hash = hashOf(queue.number, member);
    const message = queue.underWay.get(member, hash);
    if (message) {
      const { pop, backup, acknowledgement } = message;
      return [pop, backup, acknowledgement].flatMap((operation) => operation?.id ?? []);
    }
    for (const row of this.innocents.rowsOf(hash)) {
      const innocent = this.innocents.row(row);
      if (innocent.queue === queue.number && innocent.enqueue === enqueue)
        return [innocent.pop, innocent.backup, innocent.acknowledgement];
    }
    return [];
  }

  #take(operation: TraceOperation, reply: Reply | null): void {
    const step = stepOf(operation, reply);
    if (step === null) {
      this.#other(operation, reply);
      return;
    }
    switch (step.step) {
      case 'join':
      case 'leave':
      case 'members':
        this.groups.add(operation, reply, step);
        this.#channels.add(reply, step);
        return;
    }
    if (operation.transaction !== null) this.#refuse('a queue is used in transactions');
    if (operation.command === 'BLPOP' || operation.command === 'BRPOPLPUSH')
      this.#refuse('its queues are lists');
    switch (step.step) {
      case 'enqueue':
        this.#enqueued(operation, reply, step);
        return;
      case 'poll':
        this.#polled(operation, reply, step);
        return;
      case 'restore': {
        const queue = this.#queue(step.queue, operation);
        this.#received(queue, operation);
        if (reply?.kind !== 'error') queue.restored();
        return;
      }
      case 'take': {
        const queue = this.#queue(step.queue, operation);
        this.#received(queue, operation);
        if (isNothing(reply)) queue.foundEmpty();
        for (const member of step.members) {
          const message = this.#popped(queue, member, operation);
          if (message) this.#backedUp(queue, message, operation);
        }
        return;
      }
      case 'backup': {
        const queue = this.#queue(step.queue, operation);
        const message = this.#message(queue, step.member, operation);
        if (reply?.kind === 'error') message.odd = true;
        else this.#backedUp(queue, message, operation);
        return;
      }
      case 'acknowledge': {
        const queue = this.#queue(step.queue, operation);
        if (step.members.length === 0 && reply === null) queue.openAcknowledgement(operation);
        for (const member of step.members)
          this.#acknowledged(queue, this.#message(queue, member, operation), operation);
      }
    }
  }

  #other(operation: TraceOperation, reply: Reply | null): void {
    const upkeep = upkeepOf(operation, reply);
    if (operation.command === 'SELECT') this.everywhere.push(operation.id);
    if (upkeep === null) {
      const pubsub = pubSubStepOf(operation);
      if (pubsub?.step === 'publish' || pubsub?.step === 'subscribe')
        this.#refuse('it has messages of the pub/sub layer');
      return;
    }
    if (upkeep.upkeep === 'remove') {
      const { of } = upkeep;
      if ('prefix' in of || of.keys.some((key) => isProcessQueue(key.replace(BACKUP_SUFFIX, ''))))
        this.#refuse('queues were removed');
      return;
    }
    if (!this.queues.has(upkeep.queue) && !isProcessQueue(upkeep.queue)) return;
    const queue = this.#queue(upkeep.queue, operation);
    switch (upkeep.upkeep) {
      case 'trim':
        queue.trimmed(upkeep.removed ?? 0);
        return;
      case 'expire':
        return;
      default:
        this.#refuse('messages were sent one by one');
    }
  }

  #enqueued(operation: TraceOperation, reply: Reply | null, step: Extract<Step, { step: 'enqueue' }>): void {
    if (step.by === 'send') this.#refuse('messages were sent one by one');
    if (Number.isNaN(step.score)) this.#refuse('its queues are lists');
    const acceptance = acceptanceOf(reply, step);
    const queues = new Set(step.deliveries.map(({ queue }) => queue));
    for (const { queue: name, member, capacity } of step.deliveries) {
      const queue = this.#queue(name, operation);
      const message = this.#message(queue, member, operation);
      if (message.enqueues === 0) message.firstUs = operation.requestedUs;
      message.enqueues++;
      message.enqueue = markOf(operation, name);
      if (queues.size < step.deliveries.length) message.odd = true;
      message.recipients = this.#recipientsOf(member);
      message.membersReadUs = this.groups.membersReadUs(this.recipients.of(message.recipients));
      message.sinceUs = Math.min(operation.requestedUs - READ_MEMBERS_WITHIN_US, message.membersReadUs ?? 0);
      queue.recipients.add(message.recipients);
      this.clocks.add(message.enqueue, step.score);
      if (queue.capacity !== null && queue.capacity !== capacity)
        this.#refuse('the capacity of a queue changes');
      queue.capacity = capacity;
      if (acceptance !== 'full' && acceptance !== 'refused') queue.waits(message, operation.requestedUs);
      if (acceptance === 'accepted' && !message.accepted) {
        message.accepted = true;
        message.expiresUs = operation.requestedUs + (step.expiry ?? 0) * 1e6;
        if (queue.isSilentAt(operation.requestedUs))
          queue.sentInSilence({
            at: message.at,
            enqueue: { ...message.enqueue, expiry: step.expiry },
            recipients: this.recipients.of(message.recipients),
          });
      }
    }
  }

  #recipientsOf(member: Buffer): number {
    const number = this.recipients.numberOf(member);
    if (number === NOBODY_NAMED) this.#refuse('messages do not say whom they are for');
    return number;
  }

  #polled(operation: TraceOperation, reply: Reply | null, step: Extract<Step, { step: 'poll' }>): void {
    for (const name of step.queues) {
      const queue = this.#queue(name, operation);
      const { facts } = queue;
      facts.pollUs = Math.max(facts.pollUs, step.seconds * 1e6 || 0);
      if (!(step.seconds > 0)) facts.odd ??= 'its polls wait for ever';
      this.#received(queue, operation);
      if (isNothing(reply)) queue.foundEmpty();
    }
    if (step.taken) this.#popped(this.#queue(step.taken.queue, operation), step.taken.member, operation);
  }

  #popped(queue: SiftedQueue, member: Buffer, operation: TraceOperation): UnderWay {
    const message = this.#message(queue, member, operation);
    if (message.pops === 0) queue.facts.popped++;
    message.pops++;
    message.pop = markOf(operation, queue.name);
    queue.left(message);
    this.#readers.popped(queue.name, message.member, operation);
    return message;
  }

  #backedUp(queue: SiftedQueue, message: UnderWay, operation: TraceOperation): void {
    if (message.backups === 0) queue.facts.backedUp++;
    message.backups++;
    message.backup = markOf(operation, queue.name + BACKUP_SUFFIX);
    queue.backedUp(message);
    queue.handlers.add(operation.connection);
    if (message.enqueues > 0 && message.pops === 0) this.#unseen(queue);
    if (this.#readers.shownBy(queue.name, message.member)) queue.facts.odd ??= SEVERAL_READERS;
  }

  #acknowledged(queue: SiftedQueue, message: UnderWay, operation: TraceOperation): void {
    message.acknowledgements++;
    message.acknowledgement = markOf(operation, queue.name + BACKUP_SUFFIX);
    queue.acknowledged(message);
    queue.handlers.add(operation.connection);
    if (message.enqueues > 0 && message.backups === 0) this.#unseen(queue);
    const innocent = this.#innocent(queue, message);
    if (!innocent) return;
    this.innocents.add(innocent, message.hash);
    queue.underWay.delete(message);
  }

  /** Null where it is not plain. */
  #innocent(queue: SiftedQueue, message: UnderWay): Innocent | null {
    const { at, odd, enqueues, pops, backups, acknowledgements } = message;
    const { enqueue, pop, backup, acknowledgement } = message;
    if (odd || enqueues !== 1 || pops !== 1 || backups !== 1 || acknowledgements !== 1) return null;
    if (!enqueue || !pop || !backup || !acknowledgement || pop.repliedUs === null) return null;
    if (backup.id !== pop.id && backup.requestedUs < pop.repliedUs) return null;
    const doneUs = acknowledgement.repliedUs ?? acknowledgement.requestedUs;
    if (doneUs < backup.requestedUs) return null;
    const closedUs = this.#connections.get(backup.connection)?.closedUs ?? null;
    if (closedUs !== null && closedUs < (backup.repliedUs ?? Number.POSITIVE_INFINITY)) return null;
    if (this.#channels.allLeft(this.recipients.of(message.recipients) ?? [])) return null;
    if (this.#holes.some((hole) => hole.fromUs <= doneUs && (hole.toUs ?? doneUs) >= message.sinceUs))
      return null;
    return {
      at,
      queue: queue.number,
      taker: pop.connection,
      poppedUs: pop.repliedUs,
      enqueue: enqueue.id,
      pop: pop.id,
      backup: backup.id,
      acknowledgement: acknowledgement.id,
      membersReadUs: message.membersReadUs,
    };
  }

  #received(queue: SiftedQueue, operation: TraceOperation): void {
    queue.received(operation, this.#connections.get(operation.connection)?.closedUs ?? null);
  }

  #unseen(queue: SiftedQueue): void {
    queue.facts.odd ??= "some of its messages' way is not in the trace";
  }

  #queue(name: string, operation: TraceOperation): SiftedQueue {
    let queue = this.queues.get(name);
    if (!queue) {
      queue = new SiftedQueue(name, this.#byNumber.length);
      this.queues.set(name, queue);
      this.#byNumber.push(queue);
      if (queue.facts.odd !== null) this.#refuse('it has general channels');
    }
    queue.connections.add(operation.connection);
    queue.operations++;
    return queue;
  }

  #message(queue: SiftedQueue, member: Buffer, operation: TraceOperation): UnderWay {
    const hash = hashOf(queue.number, member);
    let message = queue.underWay.get(member, hash);
    if (!message) {
      message =
        this.#knownAs(queue, member, hash) ??
        newMessage(this.#messages++, member.toString('latin1'), hash, operation);
      queue.underWay.add(message);
      if (queue.underWay.size > MOST_SUSPECTS) this.#refuse('most of its messages are not plainly delivered');
    }
    return message;
  }

  /** A plain message that is seen once more is plain no longer. */
  #knownAs(queue: SiftedQueue, member: Buffer, hash: number): UnderWay | null {
    for (const row of this.innocents.rowsOf(hash)) {
      const innocent = this.innocents.row(row);
      const enqueue = this.#trace.operation(innocent.enqueue);
      const step = enqueue && stepOf(enqueue, enqueue.reply);
      if (innocent.queue !== queue.number || !enqueue || step?.step !== 'enqueue') continue;
      if (!step.deliveries.some((one) => one.queue === queue.name && one.member.equals(member))) continue;
      this.innocents.revoke(row);
      const mark = (id: number, key: string): Mark | null => {
        const operation = this.#trace.operation(id);
        return operation ? markOf(operation, key) : null;
      };
      const inBackup = queue.name + BACKUP_SUFFIX;
      return {
        ...newMessage(innocent.at, member.toString('latin1'), hash, enqueue),
        odd: true,
        ...{ enqueues: 1, pops: 1, backups: 1, acknowledgements: 1, accepted: true },
        enqueue: markOf(enqueue, queue.name),
        pop: mark(innocent.pop, queue.name),
        backup: mark(innocent.backup, inBackup),
        acknowledgement: mark(innocent.acknowledgement, inBackup),
        recipients: this.#recipientsOf(member),
        membersReadUs: innocent.membersReadUs,
      };
    }
    return null;
  }

  #refuse(why: string): void {
    this.refused ??= why;
  }
}
