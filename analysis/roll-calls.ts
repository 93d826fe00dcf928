/**
 * Who a group_send was for. The layer asks Redis who is in the group (ZRANGE, the roll call) and then enqueues for those channels and no
 * others; so a channel that the reply leaves out gets nothing, and nothing else in the trace says so. Where the group is
 * empty there is no enqueue at all, and the roll call is the only trace of the message.
 *
 * A roll call and its enqueue are tied by data: the channels that the members name are those of the reply, read before; and each roll
 * call serves one enqueue, so that one of long ago does not stand in for one that the trace lacks.
 * Why a channel was not in it is for the group's history to say: joins (ZADD), leaves (ZREM), purges by age
 * (ZREMRANGEBYSCORE, which takes all that joined up to a time) and the end of the whole key, which nothing shows but its EXPIRE.
 */
import type { Trace, TraceOperation } from '../proxy/trace/trace.js';
import { append } from './append.js';
import { type Journey, type Mark, markOf } from './journey.js';
import { countWhile, firstSince } from './moment.js';
import { nameOf, stepOf } from './profiles/channel-layer.js';
import { EVERYTHING, type Scope } from './scope.js';

export interface RollCall {
  readonly group: string;
  readonly channels: ReadonlySet<string>;
  readonly mark: Mark;
}

export interface Join {
  readonly channel: string;
  /** When, in seconds, by the clock of the one who added it. */
  readonly score: number;
  readonly mark: Mark;
}

export interface Purge {
  /** It removes all that joined up to this second. */
  readonly upTo: number;
  readonly mark: Mark;
}

export interface GroupHistory {
  readonly name: string;
  readonly calls: RollCall[];
  /** Roll calls whose reply is not known. */
  readonly openCalls: Mark[];
  readonly joins: Join[];
  readonly leaves: { readonly channel: string; readonly mark: Mark }[];
  /** Those that removed somebody. */
  readonly purges: Purge[];
  /** EXPIRE: how long the key lives from then on, in seconds. */
  readonly lifetimes: { readonly seconds: number; readonly mark: Mark }[];
}

const COMMANDS = ['ZRANGE', 'ZADD', 'ZREM', 'ZREMRANGEBYSCORE', 'EXPIRE'];

export class RollCalls {
  readonly #groups = new Map<string, GroupHistory>();

  /** When a group_send was enqueued, by the channels that it was for. */
  readonly #sends = new Map<string, number[]>();
  /** All that were answered, in the order of requests; and by the channels that they named. Worked out when first asked for. */
  #inOrder: readonly RollCall[] | undefined;
  #byChannels: ReadonlyMap<string, readonly Answered[]> | undefined;
  readonly #empty = new Map<string, readonly RollCall[]>();

  constructor(trace: Pick<Trace, 'operations'>, journeys: readonly Journey[], scope: Scope = EVERYTHING) {
    for (const operation of trace.operations({ commands: COMMANDS })) {
      const key = operation.args[1];
      if (!key?.includes(':group:') || !scope.has(nameOf(key)) || operation.reply?.kind === 'error') continue;
      if (operation.transaction !== null) continue; // the layer asks and changes groups outside of one
      this.#add(nameOf(key), operation);
    }
    for (const { channels, atUs } of sendsOf(journeys).values()) append(this.#sends, keyOf(channels), atUs);
    for (const sends of this.#sends.values()) sends.sort((a, b) => a - b);
  }

  group(name: string): GroupHistory | undefined {
    return this.#groups.get(name);
  }

  /**
   * The roll call of an enqueue: the last one that was answered before it and named just these channels. Null where none did: it
   * is not in the trace, or some of its channels are on another host. Null, too, where fewer did than were sent to these channels up to then.
   */
  of(enqueue: Mark, channels: ReadonlySet<string>): RollCall | null {
    const key = keyOf(channels);
    const { calls, last } = this.#answeredBefore(enqueue, key);
    const sends = this.#sends.get(key) ?? [];
    return calls < countWhile(sends, (atUs) => atUs <= enqueue.requestedUs) ? null : last;
  }

  /** The last roll call that was answered before an enqueue and whose channels fit. */
  before(enqueue: Mark, fits: (channels: ReadonlySet<string>) => boolean): RollCall | null {
    this.#inOrder ??= this.answered().sort((a, b) => a.mark.requestedUs - b.mark.requestedUs);
    let at = countWhile(this.#inOrder, ({ mark }) => mark.requestedUs <= enqueue.requestedUs);
    while (--at >= 0) {
      const call = this.#inOrder[at] as RollCall;
      if ((call.mark.repliedUs ?? Number.POSITIVE_INFINITY) <= enqueue.requestedUs && fits(call.channels))
        return call;
    }
    return null;
  }

  /** How many roll calls that named just these channels were answered before an enqueue, and the last one asked of them. */
  #answeredBefore(enqueue: Mark, key: string): { readonly calls: number; readonly last: RollCall | null } {
    this.#byChannels ??= answeredByChannels(this.answered());
    const answered = this.#byChannels.get(key) ?? [];
    const calls = countWhile(answered, ({ atUs }) => atUs <= enqueue.requestedUs);
    return { calls, last: answered[calls - 1]?.last ?? null };
  }

  /** Every roll call whose reply is known. */
  answered(): RollCall[] {
    return [...this.#groups.values()].flatMap(({ calls }) => calls);
  }

  /** Was any group called within a span without an answer in the trace? */
  unanswered(fromUs: number, toUs: number): boolean {
    return [...this.#groups.keys()].some((group) => this.openIn(group, fromUs, toUs) !== undefined);
  }

  /** Was a group called within a span without an answer in the trace? */
  openIn(group: string, fromUs: number, toUs: number): Mark | undefined {
    const calls = this.#groups.get(group)?.openCalls ?? [];
    const first = calls[firstSince(calls, fromUs)];
    return first && first.requestedUs <= toUs ? first : undefined;
  }

  /** Roll calls of a group that found nobody, asked and answered within a span. */
  empty(group: string, fromUs: number, toUs: number): RollCall[] {
    let empty = this.#empty.get(group);
    if (!empty) {
      empty = this.#groups.get(group)?.calls.filter(({ channels }) => channels.size === 0) ?? [];
      this.#empty.set(group, empty);
    }
    const from = countWhile(empty, ({ mark }) => mark.requestedUs < fromUs);
    const until = countWhile(empty, ({ mark }) => mark.requestedUs <= toUs);
    return empty.slice(from, until).filter(({ mark }) => (mark.repliedUs as number) <= toUs);
  }

  #add(name: string, operation: TraceOperation): void {
    const history = this.#group(name);
    const mark = markOf(operation, name);
    if (operation.reply === null) {
      if (operation.command === 'ZRANGE') history.openCalls.push(mark);
      return;
    }
    const [, , second, third] = operation.args.map((bytes) => bytes.toString('latin1'));
    if (operation.command === 'ZREMRANGEBYSCORE') {
      const removed = operation.reply?.kind === 'integer' ? Number(operation.reply.value) : 0;
      if (removed > 0) history.purges.push({ upTo: Number(third), mark });
      return;
    }
    if (operation.command === 'EXPIRE') {
      history.lifetimes.push({ seconds: Number(second), mark });
      return;
    }
    const step = stepOf(operation, operation.reply);
    if (step?.step === 'members') history.calls.push({ group: name, channels: new Set(step.channels), mark });
    if (step?.step === 'join') history.joins.push({ channel: step.channel, score: Number(second), mark });
    if (step?.step === 'leave') history.leaves.push({ channel: step.channel, mark });
  }

  #group(name: string): GroupHistory {
    let history = this.#groups.get(name);
    if (!history) {
      history = { name, calls: [], openCalls: [], joins: [], leaves: [], purges: [], lifetimes: [] };
      this.#groups.set(name, history);
    }
    return history;
  }
}

/** An answer to a roll call, and the one that was asked last of those answered up to then. */
interface Answered {
  readonly atUs: number;
  readonly last: RollCall;
}

/** By the channels that were named, in the order of the answers. */
function answeredByChannels(calls: readonly RollCall[]): ReadonlyMap<string, readonly Answered[]> {
  const byChannels = new Map<string, Answered[]>();
  const repliedUs = ({ mark }: RollCall): number => mark.repliedUs ?? Number.POSITIVE_INFINITY;
  const asked = calls.toSorted((a, b) => a.mark.requestedUs - b.mark.requestedUs);
  const order = new Map(asked.map((call, at) => [call, at]));
  const later = (a: RollCall, b: RollCall): RollCall =>
    (order.get(a) as number) > (order.get(b) as number) ? a : b;
  for (const call of calls.toSorted((a, b) => repliedUs(a) - repliedUs(b))) {
    const key = keyOf(call.channels);
    const before = byChannels.get(key)?.at(-1)?.last;
    append(byChannels, key, { atUs: repliedUs(call), last: before ? later(before, call) : call });
  }
  return byChannels;
}

/** Each group_send (one operation, maybe to several queues) with all that it was for. */
function sendsOf(journeys: readonly Journey[]) {
  const sends = new Map<number, { readonly channels: Set<string>; readonly atUs: number }>();
  for (const { payload, enqueues } of journeys)
    for (const { id, by, requestedUs } of enqueues) {
      if (by === 'send') continue; // to one channel, without a roll call
      const send = sends.get(id) ?? { channels: new Set<string>(), atUs: requestedUs };
      sends.set(id, send);
      for (const channel of payload.recipients ?? []) send.channels.add(channel);
    }
  return sends;
}

function keyOf(channels: ReadonlySet<string>): string {
  return [...channels].sort().join(' ');
}
