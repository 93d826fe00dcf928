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
import { type Journey, type Mark, markOf } from './journey.js';
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

  constructor(trace: Pick<Trace, 'operations'>, journeys: readonly Journey[], scope: Scope = EVERYTHING) {
    for (const operation of trace.operations({ commands: COMMANDS })) {
      const key = operation.args[1];
      if (!key?.includes(':group:') || !scope.has(nameOf(key)) || operation.reply?.kind === 'error') continue;
      if (operation.transaction !== null) continue; // the layer asks and changes groups outside of one
      this.#add(nameOf(key), operation);
    }
    for (const { channels, atUs } of sendsOf(journeys).values()) {
      const sends = this.#sends.get(keyOf(channels));
      if (sends) sends.push(atUs);
      else this.#sends.set(keyOf(channels), [atUs]);
    }
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
    const calls = this.#before(enqueue, (named) => named.size === channels.size && keyOf(named) === key);
    const sends = this.#sends.get(key)?.filter((atUs) => atUs <= enqueue.requestedUs) ?? [];
    return calls.length < sends.length ? null : latest(calls);
  }

  /** The last roll call that was answered before an enqueue and whose channels fit. */
  before(enqueue: Mark, fits: (channels: ReadonlySet<string>) => boolean): RollCall | null {
    return latest(this.#before(enqueue, fits));
  }

  #before(enqueue: Mark, fits: (channels: ReadonlySet<string>) => boolean): RollCall[] {
    return [...this.#groups.values()].flatMap(({ calls }) =>
      calls.filter(
        ({ mark, channels }) =>
          mark.repliedUs !== null && mark.repliedUs <= enqueue.requestedUs && fits(channels),
      ),
    );
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
    return this.#groups
      .get(group)
      ?.openCalls.find(({ requestedUs }) => requestedUs >= fromUs && requestedUs <= toUs);
  }

  /** Roll calls of a group that found nobody, asked and answered within a span. */
  empty(group: string, fromUs: number, toUs: number): RollCall[] {
    return (this.#groups.get(group)?.calls ?? []).filter(
      ({ channels, mark }) =>
        channels.size === 0 && mark.requestedUs >= fromUs && (mark.repliedUs as number) <= toUs,
    );
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

function latest(calls: readonly RollCall[]): RollCall | null {
  return calls.reduce<RollCall | null>(
    (last, call) => (last && last.mark.requestedUs > call.mark.requestedUs ? last : call),
    null,
  );
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
