/**
 * One pass over a trace for what no part of it can show: where each message of a client is put into its queues, who joined and left which group
 * when, and how each queue is received from on the whole. Judges nothing. What it finds is small beside the trace, and goes on where it
 * stood when the trace has grown.
 *
 * A queue is `odd` where something of it is not as the layer of one process does it (version 3 and later). About an odd queue, a part of the
 * trace says nothing for certain.
 */
import type { TraceOperation } from '../../proxy/trace/trace.js';
import { type PayloadFields, readPayload, readPublished } from '../payload.js';
import { COMMANDS, isProcessQueue, type Step, stepOf } from '../profiles/channel-layer.js';
import { pubSubStepOf } from '../profiles/pubsub.js';
import { upkeepOf } from '../profiles/queue-upkeep.js';
import { BRACKETS } from '../transaction.js';
import { SEVERAL_READERS, SeveralReaders } from './several-readers.js';

/** What a queue's receiving is like on the whole. */
export interface QueueFacts {
  /** Messages that were popped, and those that were backed up. */
  popped: number;
  backedUp: number;
  /** Why a part of the trace says nothing of it; null: it does. */
  odd: string | null;
  /** The longest that a poll of it asked to wait, microseconds. */
  pollUs: number;
}

/** Where what is found goes. */
export interface SurveySink {
  /** An operation that carries a message of a sender, to queues or, `published`, to a channel of pub/sub. */
  foundMessage(sender: string, count: number, operation: number, published: boolean): void;
  /** A join or leave of a channel, or the first sight of it in a group. */
  foundMember(channel: string, operation: number): void;
  /** An operation without keys that may concern every queue. */
  foundEverywhere(operation: number): void;
}

/** What a survey is interested in. */
export const SURVEYED: readonly string[] = [
  ...new Set([...COMMANDS, 'PUBLISH', 'SELECT', 'FLUSHALL', 'FLUSHDB']),
].filter((command) => !BRACKETS.includes(command));

/** Members that are under way are remembered, so many at most; a queue whose oldest is forgotten may seem odd. */
const REMEMBERED = 50_000;

const [ENQUEUED, POPPED, BACKED_UP] = [1, 2, 4];

/** A survey that rests, as JSON. */
export interface SurveyState {
  readonly queues: readonly (readonly [string, QueueFacts])[];
  readonly underWay: readonly (readonly [string, number])[];
  readonly sights: readonly string[];
}

export class Survey {
  readonly #fields: PayloadFields;
  readonly #sink: SurveySink;
  readonly #queues: Map<string, QueueFacts>;
  /** Queue and member -> what was seen of it. */
  readonly #underWay: Map<string, number>;
  /** Channel and group, where it was seen there. */
  readonly #sights: Set<string>;
  readonly #readers = new SeveralReaders();

  constructor(fields: PayloadFields, sink: SurveySink, state?: SurveyState) {
    this.#fields = fields;
    this.#sink = sink;
    this.#queues = new Map(state?.queues);
    this.#underWay = new Map(state?.underWay);
    this.#sights = new Set(state?.sights);
  }

  get state(): SurveyState {
    return { queues: [...this.#queues], underWay: [...this.#underWay], sights: [...this.#sights] };
  }

  queue(name: string): QueueFacts | undefined {
    return this.#queues.get(name);
  }

  add(operation: TraceOperation): void {
    const step = stepOf(operation, operation.reply);
    if (step) this.#step(operation, step);
    else if (pubSubStepOf(operation)?.step === 'publish') this.#published(operation);
    else if (reachesEverywhere(operation)) this.#sink.foundEverywhere(operation.id);
  }

  #published({ id, args }: TraceOperation): void {
    const payload = readPublished(args[2] ?? Buffer.alloc(0), this.#fields);
    if (payload && payload.sender !== null && payload.count !== null)
      this.#sink.foundMessage(payload.sender, payload.count, id, true);
  }

  #step(operation: TraceOperation, step: Step): void {
    const { id } = operation;
    switch (step.step) {
      case 'enqueue':
        this.#enqueued(operation, step);
        return;
      case 'join':
      case 'leave':
        this.#sink.foundMember(step.channel, id);
        return;
      case 'members':
        for (const channel of step.channels) {
          const sight = `${channel}\n${step.group}`;
          if (this.#sights.has(sight)) continue;
          this.#sights.add(sight);
          this.#sink.foundMember(channel, id);
        }
        return;
      case 'poll':
        this.#polled(operation, step);
        return;
      case 'take':
        for (const member of step.members) {
          this.#popped(step.queue, member, operation);
          this.#backedUp(step.queue, member);
        }
        if (operation.command === 'BRPOPLPUSH') this.#odd(step.queue, 'it is a list');
        break;
      case 'backup':
        this.#backedUp(step.queue, step.member);
        break;
      case 'acknowledge':
        for (const member of step.members) this.#acknowledged(step.queue, member);
        break;
      case 'restore':
        this.#facts(step.queue);
    }
    if (operation.transaction !== null) this.#odd(step.queue, 'it is received from in transactions');
  }

  #enqueued(
    { id, transaction }: TraceOperation,
    { deliveries, score }: Extract<Step, { step: 'enqueue' }>,
  ): void {
    for (const { queue, member } of deliveries) {
      const { sender, count, recipients } = readPayload(member, this.#fields);
      if (sender !== null && count !== null) this.#sink.foundMessage(sender, count, id, false);
      if (recipients === null) this.#odd(queue, 'its messages do not say whom they are for');
      if (Number.isNaN(score)) this.#odd(queue, 'it is a list');
      if (transaction !== null) this.#odd(queue, 'it is sent to in transactions');
      this.#remember(queue, member, ENQUEUED);
    }
  }

  #polled(operation: TraceOperation, { queues, seconds, taken }: Extract<Step, { step: 'poll' }>): void {
    for (const queue of queues) {
      const facts = this.#facts(queue);
      facts.pollUs = Math.max(facts.pollUs, seconds * 1e6 || 0);
      if (!(seconds > 0)) this.#odd(queue, 'its polls wait for ever');
      if (operation.command === 'BLPOP') this.#odd(queue, 'it is a list');
      if (operation.transaction !== null) this.#odd(queue, 'it is received from in transactions');
    }
    if (taken) this.#popped(taken.queue, taken.member, operation);
  }

  #popped(queue: string, member: Buffer, poll: TraceOperation): void {
    if ((this.#remember(queue, member, POPPED) & POPPED) === 0) this.#facts(queue).popped++;
    this.#readers.popped(queue, member.toString('latin1'), poll);
  }

  #backedUp(queue: string, member: Buffer): void {
    const before = this.#remember(queue, member, BACKED_UP);
    if ((before & BACKED_UP) === 0) this.#facts(queue).backedUp++;
    if ((before & ENQUEUED) !== 0 && (before & POPPED) === 0) this.#unseen(queue);
    if (this.#readers.shownBy(queue, member.toString('latin1'))) this.#odd(queue, SEVERAL_READERS);
  }

  #acknowledged(queue: string, member: Buffer): void {
    const key = keyOf(queue, member);
    const before = this.#underWay.get(key) ?? 0;
    if ((before & ENQUEUED) !== 0 && (before & BACKED_UP) === 0) this.#unseen(queue);
    this.#underWay.delete(key);
  }

  #unseen(queue: string): void {
    this.#odd(queue, "some of its messages' way is not in the trace");
  }

  #odd(queue: string, why: string): void {
    this.#facts(queue).odd ??= why;
  }

  #facts(queue: string): QueueFacts {
    let facts = this.#queues.get(queue);
    if (!facts) {
      const odd = isProcessQueue(queue) ? null : 'it is a general channel';
      facts = { popped: 0, backedUp: 0, odd, pollUs: 0 };
      this.#queues.set(queue, facts);
    }
    return facts;
  }

  /** What was seen of it before. */
  #remember(queue: string, member: Buffer, what: number): number {
    this.#facts(queue);
    const key = keyOf(queue, member);
    const before = this.#underWay.get(key) ?? 0;
    this.#underWay.set(key, before | what);
    if (this.#underWay.size > REMEMBERED)
      for (const [oldest] of this.#underWay) {
        this.#underWay.delete(oldest);
        break;
      }
    return before;
  }
}

function keyOf(queue: string, member: Buffer): string {
  return `${queue}\n${member.toString('latin1')}`;
}

/** Which database a connection speaks to, and what removes from every queue without naming it. */
function reachesEverywhere(operation: TraceOperation): boolean {
  if (operation.command === 'SELECT') return true;
  const upkeep = upkeepOf(operation, operation.reply);
  return upkeep?.upkeep === 'remove' && 'prefix' in upkeep.of;
}
