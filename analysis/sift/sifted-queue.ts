/**
 * What is remembered of a queue while a trace passes by: the messages under way, how it is received from on the whole, when nobody asked for its messages,
 * and how much it can have held at the most. Of all else the trace is asked again.
 */
import type { TraceConnection, TraceOperation } from '../../proxy/trace/trace.js';
import type { QueueFacts } from '../focus/survey.js';
import { isNear } from '../hints/filling.js';
import type { Waiting } from '../hints/unpolled.js';
import { type Mark, markOf } from '../mark.js';
import { countWhile } from '../moment.js';
import { BACKUP_SUFFIX, isProcessQueue } from '../profiles/channel-layer.js';
import { BETWEEN_POLLS_US } from '../readers.js';
import { LongPolls } from './long-polls.js';
import { MessagesUnderWay, type UnderWay } from './under-way.js';

/** A message sent while nobody polled its queue. */
export interface SentInSilence {
  readonly at: number;
  readonly enqueue: Waiting;
  readonly recipients: readonly string[] | null;
}

/** Nobody polled the queue for longer than a receiver takes from one poll to the next. */
export interface Silence {
  /** By when the steps of receiving before it had ended. */
  readonly fromUs: number;
  readonly last: Mark;
  readonly next: Mark | null;
  readonly sent: readonly SentInSilence[];
}

/** A time in which a queue may have been nearly full. */
interface Crowd {
  /** When what waited in it for the longest was sent. */
  readonly fromUs: number;
  readonly sinceUs: number;
  toUs: number;
  /** It held no more than so many. */
  most: number;
}

/** A crowd that lasts is looked at piece by piece. */
const CROWDED_PIECE_US = 2_000_000;

export class SiftedQueue {
  readonly name: string;
  readonly number: number;
  readonly facts: QueueFacts;
  readonly longPolls = new LongPolls();
  readonly underWay = new MessagesUnderWay();
  /** Connections that touched it or its backup. */
  readonly connections = new Set<number>();
  /** Those that received from it, in the order in which they first did; and those that backed up or acknowledged. */
  readonly receivers = new Set<number>();
  readonly handlers = new Set<number>();
  readonly silences: Silence[] = [];
  /** Lists of recipients of its messages, by number. */
  readonly recipients = new Set<number>();
  /** How many operations concern it. */
  operations = 0;
  /** As group_send names it; null before. */
  capacity: number | null = null;
  /** When it may have held so much that an operator should know, each from when the longest waiting was sent. */
  readonly crowded: Crowd[] = [];

  readonly #lastOf = new Map<number, Mark>();
  readonly #lastBlockingOf = new Map<number, Mark>();
  #last: readonly Mark[] = [];
  #openAcknowledgements: readonly Mark[] = [];
  /** By when all steps of receiving so far have ended. */
  #endedUs = Number.NEGATIVE_INFINITY;
  #sent: SentInSilence[] = [];
  /** Messages that may wait in it, the longest first. */
  readonly #waiting = new Set<UnderWay>();
  /** Popped and backed up, and not acknowledged: a restore puts them back. */
  readonly #inBackup = new Set<UnderWay>();

  constructor(name: string, number: number) {
    this.name = name;
    this.number = number;
    const odd = isProcessQueue(name) ? null : 'it is a general channel';
    this.facts = { popped: 0, backedUp: 0, odd, pollUs: 0 };
  }

  /** A step of receiving; `closedUs` of its connection. */
  received(operation: TraceOperation, closedUs: number | null): void {
    const { connection, requestedUs, repliedUs } = operation;
    this.receivers.add(connection);
    const mark = markOf(operation, this.name);
    this.#endSilence(requestedUs, mark);
    const last = this.#last.at(-1);
    this.#last = last ? [last, mark] : [mark];
    this.#endedUs = Math.max(this.#endedUs, repliedUs ?? closedUs ?? Number.POSITIVE_INFINITY);
    this.#lastOf.set(connection, mark);
    if (!operation.command.startsWith('B')) return;
    this.#lastBlockingOf.set(connection, mark);
    this.longPolls.add(operation);
  }

  #endSilence(toUs: number, next: Mark | null): void {
    if (this.#sent.length === 0) return;
    const last = this.#last.at(-1);
    const before = this.#sent.filter(({ enqueue }) => next === null || enqueue.requestedUs < toUs);
    if (last && toUs - this.#endedUs > BETWEEN_POLLS_US && before.length > 0)
      this.silences.push({
        fromUs: this.#endedUs,
        last,
        next,
        sent: before,
      });
    this.#sent = this.#sent.slice(before.length);
  }

  /** Have all steps of receiving so far ended by then? */
  isSilentAt(us: number): boolean {
    return this.#endedUs <= us;
  }

  /** A message was accepted for the first time, while nobody polled. */
  sentInSilence(sent: SentInSilence): void {
    this.#sent.push(sent);
  }

  /** The trace is over. */
  end(endUs: number): void {
    this.#endSilence(endUs, null);
  }

  /** A span, and all of the times in which nobody polled that overlap it: from the last poll before to the first poll after. */
  withSilences(fromUs: number, toUs: number): readonly [number, number] {
    const overlapping = this.silences.slice(
      countWhile(this.silences, ({ next }) => next !== null && next.requestedUs < fromUs),
      countWhile(this.silences, (silence) => silence.fromUs <= toUs),
    );
    const begins = overlapping.map(({ last }) => last.requestedUs);
    const ends = overlapping.map(({ next }) => next?.repliedUs ?? next?.requestedUs ?? Infinity);
    return [Math.min(fromUs, ...begins), Math.max(toUs, ...ends)];
  }

  openAcknowledgement(operation: TraceOperation): void {
    this.#openAcknowledgements = [
      ...this.#openAcknowledgements.slice(-1),
      markOf(operation, this.name + BACKUP_SUFFIX),
    ];
  }

  /** It may be in the queue from now on. */
  waits(message: UnderWay, nowUs: number): void {
    if (message.pops > 0) return;
    this.#waiting.add(message);
    if (this.capacity !== null && isNear(this.#waiting.size, this.capacity)) this.#crowds(nowUs);
  }

  #crowds(nowUs: number): void {
    const last = this.crowded.at(-1);
    const { size } = this.#waiting;
    if (last && nowUs - last.sinceUs <= CROWDED_PIECE_US) {
      last.toUs = nowUs;
      last.most = Math.max(last.most, size);
      return;
    }
    for (const { firstUs } of this.#waiting) {
      this.crowded.push({ fromUs: firstUs, sinceUs: nowUs, toUs: nowUs, most: size });
      return;
    }
  }

  /** It was popped. */
  left(message: UnderWay): void {
    this.#waiting.delete(message);
  }

  backedUp(message: UnderWay): void {
    this.#inBackup.add(message);
  }

  acknowledged(message: UnderWay): void {
    this.#inBackup.delete(message);
  }

  /** What is in the backup comes back. */
  restored(): void {
    for (const message of this.#inBackup) this.#waiting.add(message);
    this.#inBackup.clear();
  }

  /** So many of the oldest went that nobody popped. */
  trimmed(messages: number): void {
    for (const message of this.#waiting) {
      if (messages-- <= 0) return;
      this.#waiting.delete(message);
    }
  }

  /** A poll found nothing in it: what was sent before is not there any more. */
  foundEmpty(): void {
    this.#waiting.clear();
  }

  /** Of its steps of receiving those that are asked about: the last two, and the last of each connection. */
  lastReceives(): Mark[] {
    const kept = new Set([...this.#last, ...this.#lastOf.values(), ...this.#lastBlockingOf.values()]);
    return [...kept].sort((a, b) => a.id - b.id);
  }

  lastOpenAcknowledgements(): Mark[] {
    return [...this.#openAcknowledgements];
  }

  /** Connections of the process that reads it, as far as the trace shows them. */
  processConnections(connections: ReadonlyMap<number, TraceConnection>): TraceConnection[] {
    return [...new Set([...this.receivers, ...this.handlers])].flatMap((id) => connections.get(id) ?? []);
  }
}
