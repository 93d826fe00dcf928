/**
 * The verdicts on the messages that a sift did not let pass, each from as little of the trace as it takes: those of one queue that are near
 * to each other by one look; whom a look does not settle, by a larger one; and whom none settles, by all that there is of its queues.
 */

import type { HeapGarbage } from '../../proxy/trace/garbage.js';
import type { Trace } from '../../proxy/trace/trace.js';
import { type Span, spanOf } from '../focus/focused-trace.js';
import { idsOf, Look, type Reach } from '../focus/look.js';
import { ReadOperations } from '../focus/read-operations.js';
import type { Judgement } from '../judgement.js';
import type { Mark } from '../mark.js';
import { type PayloadFields, readPayload } from '../payload.js';
import { BACKUP_SUFFIX, processOf, stepOf } from '../profiles/channel-layer.js';
import type { KnownBySift } from './known.js';
import type { Sift } from './sift.js';
import type { SiftedQueue } from './sifted-queue.js';
import type { UnderWay } from './under-way.js';

/** A suspect, judged. */
export interface Suspect {
  /** Its number among all messages, in the order in which each is first seen. */
  readonly at: number;
  readonly judgement: Judgement;
  /** The pop that lost it, where one did. */
  readonly lostPop: number | null;
}

/** How it is looked at suspects. */
export interface Looking {
  /** How long before the first and after the last operation of a message is looked at, microseconds; one after the other. */
  readonly looksUs: readonly Reach[];
  /** Where a queue has fewer operations than this for each of its suspects, one look at all of it costs less than one at each. */
  readonly fewForEach: number;
  /** A look at all that a queue ever had, where it had no more operations than this. */
  readonly mostAtAll: number;
}

const LOOKS_US: readonly Reach[] = [
  [15_000, 60_000],
  [100_000, 300_000],
  [600_000, 60_000],
  [3_000_000, 3_000_000],
];
/** A look may see so many operations: some 200 MB. */
const MOST_SEEN = 100_000;
/** So many of them are kept for the next one. */
const MOST_KEPT = 20_000;
/** Bytes that looks may leave before they are collected. */
export const LEFT_BYTES = 64_000_000;

const USUAL: Looking = { looksUs: LOOKS_US, fewForEach: 20, mostAtAll: 30_000 };

/** A message in its queue that no look settles. */
export interface Unsettled {
  readonly message: UnderWay;
  readonly queue: string;
}

/** What is said of it, where the whole trace is too large to be asked. */
export function unsettled({ message, queue }: Unsettled, fields: PayloadFields): Suspect {
  const { at, enqueue, pop, backup, acknowledgement } = message;
  const member = Buffer.from(message.member, 'latin1');
  const waypoint = (role: string, mark: Mark | null) => (mark ? [{ role, mark }] : []);
  const last = pop ?? enqueue ?? backup ?? acknowledgement;
  return {
    at,
    judgement: {
      ...{ payload: readPayload(member, fields), queue, member, verdict: 'indeterminate', cause: null },
      because:
        'what the trace shows around it does not decide it, and this trace is too large to be held in memory as a whole',
      alternatives: [],
      waypoints: [
        ...waypoint('enqueue', enqueue),
        ...waypoint('pop', pop),
        ...waypoint('backup', backup),
        ...waypoint('acknowledge', acknowledgement),
      ],
      ...{ cites: [], present: null, taker: pop?.connection ?? null, story: [], consequences: [] },
      ...{ atUs: last?.repliedUs ?? last?.requestedUs ?? 0, process: processOf(queue) },
    },
    lostPop: null,
  };
}

export class Suspects {
  readonly judged: Suspect[] = [];
  readonly #trace: Trace;
  readonly #fields: PayloadFields;
  readonly #sift: Sift;
  readonly #known: KnownBySift;
  readonly #garbage: HeapGarbage;
  #read: ReadOperations;
  readonly #looking: Looking;

  constructor(
    sift: Sift,
    known: KnownBySift,
    trace: Trace,
    fields: PayloadFields,
    garbage: HeapGarbage,
    looking = USUAL,
  ) {
    this.#garbage = garbage;
    this.#looking = looking;
    this.#sift = sift;
    this.#known = known;
    this.#trace = trace;
    this.#fields = fields;
    this.#read = new ReadOperations(trace);
  }

  /** Those whom no part of the trace settles. The others are in `judged`. */
  judge(): Unsettled[] {
    return [...this.#sift.queues.values()].flatMap((queue) =>
      this.#judgeQueue(queue).map((message) => ({ message, queue: queue.name })),
    );
  }

  #judgeQueue(queue: SiftedQueue): UnderWay[] {
    let left = [...queue.underWay];
    const { looksUs, fewForEach } = this.#looking;
    for (const [at, [beforeUs, afterUs]] of queue.facts.odd === null ? looksUs.entries() : []) {
      if (left.length === 0) return [];
      if (queue.operations < fewForEach * left.length) break;
      const isDue = (message: UnderWay): boolean => Math.min(firstLookAt(message), looksUs.length - 1) <= at;
      const runs = together(left.filter(isDue), queue, beforeUs + afterUs);
      const still = runs.flatMap((some) => this.#lookAround(queue, some, [beforeUs, afterUs]));
      left = [...left.filter((message) => !isDue(message)), ...still];
    }
    return left.length === 0 ? [] : this.#lookAtAll(queue, left);
  }

  #lookAround(
    queue: SiftedQueue,
    messages: readonly UnderWay[],
    [beforeUs, afterUs]: Reach,
  ): readonly UnderWay[] {
    const spans = messages.map((message) => spanned(message, queue));
    const fromUs = Math.min(...spans.map(([from]) => from)) - beforeUs;
    const toUs = Math.max(...spans.map(([, to]) => to)) + afterUs;
    const span = spanOf(fromUs, toUs, this.#trace);
    return this.#sees(queue, span) ? this.#look(queue, span, messages) : messages;
  }

  /** All that there is of its queue. */
  #lookAtAll(queue: SiftedQueue, messages: readonly UnderWay[]): UnderWay[] {
    if (queue.operations > this.#looking.mostAtAll) return [...messages];
    const span = { fromId: 0, beforeId: Number.MAX_SAFE_INTEGER, fromUs: null, toUs: null };
    return this.#look(queue, span, messages);
  }

  /** Is it not too much for one look? */
  #sees({ name, operations }: SiftedQueue, { fromId, beforeId }: Span): boolean {
    if (operations <= MOST_SEEN) return true;
    let seen = 0;
    for (const _ of this.#trace.operationIds([name, name + BACKUP_SUFFIX], fromId, beforeId))
      if (++seen > MOST_SEEN) return false;
    return true;
  }

  /**
   * Of messages that a script may have put into their queue or not, for it found some of its queues full: what came of the same send in its other
   * queues. Only that shows which were full.
   */
  #elsewhere(messages: readonly UnderWay[], queue: SiftedQueue): number[] {
    return messages.flatMap(({ enqueue, pops, accepted }) => {
      if (!enqueue || pops > 0 || accepted) return [];
      const operation = this.#trace.operation(enqueue.id);
      const step = operation && stepOf(operation, operation.reply);
      if (step?.step !== 'enqueue') return [];
      return step.deliveries.flatMap((delivery) => {
        const other = this.#sift.queues.get(delivery.queue);
        return other && other !== queue ? this.#sift.operationsOf(other, delivery.member, enqueue.id) : [];
      });
    });
  }

  /** Those that the look does not settle. */
  #look(queue: SiftedQueue, span: Span, messages: readonly UnderWay[]): UnderWay[] {
    const trace = this.#trace;
    // The next look often needs some of the same.
    if (this.#read.size > MOST_KEPT) this.#read = new ReadOperations(trace);
    const ground = { trace, fields: this.#fields, known: this.#known, read: this.#read };
    const ids = idsOf(queue, span, ground, this.#elsewhere(messages, queue));
    if (ids.length > MOST_SEEN) return [...messages];
    const look = new Look(queue, span, ground, ids);
    this.#garbage.left();
    const journeys = new Map(
      look.journeys
        .filter((journey) => journey.queue === queue.name)
        .map((journey) => [journey.member.toString('latin1'), journey]),
    );
    return messages.filter((message) => {
      const journey = journeys.get(message.member);
      const found = journey && look.judgement(journey);
      if (!found) return true;
      const { ending, payload, queue, member, verdict, cause, because, alternatives } = found;
      const { waypoints, cites, present, taker, atUs, process } = found;
      this.judged.push({
        at: message.at,
        // Without the story, which would keep the whole look.
        judgement: {
          ...{ payload, queue, member, verdict, cause, because, alternatives },
          ...{ waypoints, cites, present, taker, atUs, process, story: [], consequences: [] },
        },
        lostPop: ending.at === 'pop' ? ending.pop.id : null,
      });
      return false;
    });
  }
}

/**
 * From its first operation to its last; where nobody popped it, to when it has expired, and from the last poll before to the first poll after a time in
 * which nobody polled: they show why nobody did.
 */
function spanned(message: UnderWay, queue: SiftedQueue): readonly [number, number] {
  const { firstUs, expiresUs, enqueue, pop, backup, acknowledgement, pops } = message;
  const all = [enqueue, pop, backup, acknowledgement].flatMap((one) => one ?? []);
  const lastUs = Math.max(firstUs, ...all.map(({ requestedUs, repliedUs }) => repliedUs ?? requestedUs));
  if (pops > 0) return [firstUs, lastUs];
  return queue.withSilences(firstUs, Math.max(lastUs, expiresUs));
}

/** Which of the looks is the first that may settle it, by experience. Of one that nobody popped it tells what its queue held before. */
function firstLookAt({ pops }: UnderWay): number {
  return pops > 0 ? 0 : 2;
}

/** Runs of messages within so long of each other. */
function together(messages: readonly UnderWay[], queue: SiftedQueue, withinUs: number): UnderWay[][] {
  const begins = messages.map((message) => ({ message, fromUs: spanned(message, queue)[0] }));
  const runs: { readonly fromUs: number; readonly messages: UnderWay[] }[] = [];
  for (const { message, fromUs } of begins.sort((a, b) => a.fromUs - b.fromUs)) {
    const run = runs.at(-1);
    if (run && fromUs - run.fromUs <= withinUs) run.messages.push(message);
    else runs.push({ fromUs, messages: [message] });
  }
  return runs.map(({ messages }) => messages);
}
