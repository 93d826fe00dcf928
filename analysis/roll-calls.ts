/**
 * Who a group_send was for. The layer asks Redis who is in the group (ZRANGE, the roll call) and then enqueues for those channels and no
 * others; so a channel that the reply leaves out gets nothing, and nothing else in the trace says so. Where the group is
 * empty there is no enqueue at all, and the roll call is the only trace of the message.
 *
 * A roll call and its enqueue are tied by data: the channels that the members name are those of the reply, read before.
 * Why a channel was not in it is for the group's history to say: joins (ZADD), leaves (ZREM), purges by age
 * (ZREMRANGEBYSCORE, which takes all that joined up to a time) and the end of the whole key, which nothing shows but its EXPIRE.
 */
import type { Trace, TraceOperation } from '../proxy/trace/trace.js';
import { type Mark, markOf } from './journey.js';
import { nameOf, stepOf } from './profiles/channel-layer.js';

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

  constructor(trace: Pick<Trace, 'operations'>) {
    for (const operation of trace.operations({ commands: COMMANDS })) {
      const key = operation.args[1];
      if (!key?.includes(':group:') || operation.reply === null || operation.reply.kind === 'error') continue;
      if (operation.transaction !== null) continue; // the layer asks and changes groups outside of one
      this.#add(nameOf(key), operation);
    }
  }

  group(name: string): GroupHistory | undefined {
    return this.#groups.get(name);
  }

  /**
   * The roll call of an enqueue: the last one that was answered before it and named just these channels. Null where none did: it
   * is not in the trace, or some of its channels are on another host.
   */
  of(enqueue: Mark, channels: ReadonlySet<string>): RollCall | null {
    return this.before(enqueue, (named) => equal(named, channels));
  }

  /** The last roll call that was answered before an enqueue and whose channels fit. */
  before(enqueue: Mark, fits: (channels: ReadonlySet<string>) => boolean): RollCall | null {
    let found: RollCall | null = null;
    for (const { calls } of this.#groups.values()) {
      const call = calls.findLast(({ mark, channels }) => repliedBefore(mark, enqueue) && fits(channels));
      if (call && (found === null || call.mark.requestedUs > found.mark.requestedUs)) found = call;
    }
    return found;
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
      history = { name, calls: [], joins: [], leaves: [], purges: [], lifetimes: [] };
      this.#groups.set(name, history);
    }
    return history;
  }
}

function repliedBefore(call: Mark, enqueue: Mark): boolean {
  return call.repliedUs !== null && call.repliedUs <= enqueue.requestedUs;
}

function equal(one: ReadonlySet<string>, other: ReadonlySet<string>): boolean {
  return one.size === other.size && [...one].every((channel) => other.has(channel));
}
