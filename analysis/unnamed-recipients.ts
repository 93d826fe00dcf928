/**
 * Who a message was for that does not say it: an encrypted one, or of another format. What is at stake is whether anybody was still there
 * when it was lost.
 *
 * A group_send asks who is in the group (ZRANGE, the roll call) before it enqueues. Which roll call is whose the wire does not say: they
 * are tied by the queues, which are those of the channels named, and by number, since each enqueue comes after a roll call of
 * its own. So one of some roll calls was its own. Where all of them name the same channels of the process, these are its recipients. Where
 * they differ, it may have been for any of them; and where the roll call is not in the trace, or it was sent to one channel, for any channel of its process.
 */
import type { Trace, TraceHole } from '../proxy/trace/trace.js';
import type { Journey, Journeys } from './journey.js';
import { isProcessQueue, processOf } from './profiles/channel-layer.js';
import { type RollCall, RollCalls } from './roll-calls.js';
import type { Scope } from './scope.js';

/** What one message may have been for: one of these sets of channels, all of them members at that time. */
export interface MayBeFor {
  readonly channels: readonly (readonly string[])[];
  readonly sinceUs: number;
  /** By roll calls; else it is any channel of its process that is known. */
  readonly called: boolean;
}

/** From ZRANGE to the script of one group_send, where no delay was added. */
const ENQUEUED_WITHIN_US = 1_000_000;
/** ZRANGE's reply, MULTI … EXEC and its reply, the script: each delayed once. */
const DELAYS = 4;

interface Facts {
  readonly trace: Pick<Trace, 'operations'>;
  readonly journeys: Journeys;
  readonly scope: Scope;
  readonly holes: readonly TraceHole[];
  readonly latencyUs: number;
}

/**
 * Names the recipients of those messages for which the roll calls tell, in their payload, and returns what the others may have been for.
 * To be called before anything is judged.
 */
export function nameRecipients(facts: Facts): ReadonlyMap<Journey, MayBeFor> {
  const mayBeFor = new Map<Journey, MayBeFor>();
  const unnamed = facts.journeys.journeys.filter(
    ({ payload, queue }) => payload.recipients === null && isProcessQueue(keyOf(queue, facts)),
  );
  if (unnamed.length === 0) return mayBeFor;
  const histories = new Histories(facts);
  for (const journey of unnamed) {
    const found = histories.of(journey) ?? anyOf(journey, facts);
    const [only, ...others] = found.channels;
    if (found.called && only && others.length === 0) named(journey, only, found.sinceUs);
    else mayBeFor.set(journey, found);
  }
  return mayBeFor;
}

function named(journey: Journey, recipients: readonly string[], membersReadUs: number): void {
  journey.payload = { ...journey.payload, recipients };
  for (const [at, enqueue] of journey.enqueues.entries())
    journey.enqueues[at] = { ...enqueue, membersReadUs };
}

function anyOf({ queue }: Journey, facts: Facts): MayBeFor {
  const { memberships, seenIn } = facts.journeys;
  const key = keyOf(queue, facts);
  const channels = [...new Set([...memberships.keys(), ...seenIn.keys()])].filter((channel) => {
    const process = processOf(channel);
    return process !== null && key.endsWith(process);
  });
  return { channels: channels.map((channel) => [channel]), sinceUs: 0, called: false };
}

function keyOf(queue: string, { journeys }: Facts): string {
  return journeys.queues.get(queue)?.key ?? queue;
}

/** A roll call that was answered, or an enqueue, of one queue. */
interface Event {
  readonly atUs: number;
  /** The operation of an enqueue; null: a roll call. */
  readonly send: number | null;
  /** When a roll call was asked, the queues of those whom it named, and the channels among them that this queue is for. */
  readonly askedUs: number;
  readonly queues: ReadonlySet<string>;
  readonly channels: readonly string[];
}

/** The roll calls and enqueues of one queue, in the order of time. */
interface History {
  readonly events: readonly Event[];
  /** By how many the roll calls are ahead of the enqueues, after each event. */
  readonly ahead: readonly number[];
  /** From which event on an enqueue is known to lack its roll call; none: infinite. */
  readonly lackingAt: number;
}

class Histories {
  readonly #facts: Facts;
  readonly #rollCalls: RollCalls;
  readonly #histories = new Map<string, History>();
  /** Per group_send, its queues. */
  readonly #sends = new Map<
    number,
    { readonly atUs: number; readonly queues: Set<string>; members: number }
  >();

  constructor(facts: Facts) {
    this.#facts = facts;
    this.#rollCalls = new RollCalls(facts.trace, [], facts.scope);
    for (const { queue, enqueues } of facts.journeys.journeys)
      for (const { id, by, requestedUs, acceptance } of enqueues) {
        if (by === 'send' || acceptance === 'refused') continue;
        const send = this.#sends.get(id) ?? { atUs: requestedUs, queues: new Set<string>(), members: 0 };
        this.#sends.set(id, send);
        send.queues.add(keyOf(queue, facts));
        send.members++;
      }
  }

  /** Null: its own roll call is not certain to be in the trace. */
  of({ queue, enqueues }: Journey): MayBeFor | null {
    const [enqueue, again] = enqueues.filter(({ acceptance }) => acceptance !== 'refused');
    if (!enqueue || again || enqueue.by === 'send') return null;
    const history = this.#history(keyOf(queue, this.#facts));
    const at = history.events.findIndex(({ send }) => send === enqueue.id);
    const sinceUs = this.#sinceUs(history, at);
    if (sinceUs === null || this.#hidden(sinceUs, enqueue.requestedUs)) return null;
    const { queues = new Set<string>(), members = 0 } = this.#sends.get(enqueue.id) ?? {};
    if (members !== queues.size) return null; // two for one queue: one of them may be another queue's
    const calls = history.events
      .slice(0, at)
      .filter((event) => event.send === null && event.atUs > sinceUs)
      .filter((call) => [...queues].every((each) => call.queues.has(each)));
    if (calls.length === 0) return null;
    const sets = new Map(calls.map(({ channels }) => [channels.toSorted().join(' '), channels]));
    return {
      channels: [...sets.values()],
      sinceUs: Math.min(...calls.map(({ askedUs }) => askedUs)),
      called: true,
    };
  }

  /**
   * After which moment its own roll call was answered. Where there were as many enqueues as roll calls, all of those up to then are used
   * up. But one may never be used (its sender was cancelled), and then that does not come again: so else those of the time that
   * a group_send takes, and at least as many as there were enqueues. Null: there are too few.
   */
  #sinceUs({ events, ahead, lackingAt }: History, at: number): number | null {
    const lastAt = (level: number): number | null => {
      const found = ahead.lastIndexOf(level, at - 1);
      if (at > 0 && found >= 0) return events[found]?.atUs ?? null;
      return level === 0 ? -1 : null;
    };
    const enqueuedUs = events[at]?.atUs ?? 0;
    const level = lastAt(ahead[at] ?? 0);
    if (level === null) return null;
    const takenUs = Math.min(level, enqueuedUs - ENQUEUED_WITHIN_US - DELAYS * this.#facts.latencyUs);
    const complete = at < lackingAt && !this.#hidden(0, enqueuedUs);
    return complete ? Math.max(takenUs, lastAt(0) ?? -1) : takenUs;
  }

  /** May a roll call, or its answer, be missing there? */
  #hidden(fromUs: number, toUs: number): boolean {
    return (
      this.#facts.holes.some(
        (hole) => hole.reason !== 'redacted' && hole.fromUs <= toUs && (hole.toUs ?? toUs) >= fromUs,
      ) || this.#rollCalls.unanswered(fromUs, toUs)
    );
  }

  #history(key: string): History {
    const known = this.#histories.get(key);
    if (known) return known;
    const enqueues = [...this.#sends].filter(([, { queues }]) => queues.has(key));
    const events = [
      ...this.#rollCalls.answered().flatMap((call) => callOf(call, key)),
      ...enqueues.map(([send, { atUs, queues }]) => ({ atUs, send, askedUs: atUs, queues, channels: [] })),
    ].sort((a, b) => a.atUs - b.atUs || (a.send ?? -1) - (b.send ?? -1));
    let level = 0;
    const ahead = events.map(({ send }) => (level += send === null ? 1 : -1));
    const lacking = ahead.findIndex((each) => each < 0);
    const history = { events, ahead, lackingAt: lacking < 0 ? Number.POSITIVE_INFINITY : lacking };
    this.#histories.set(key, history);
    return history;
  }
}

/** A roll call as this queue sees it; nothing where it named none of its channels. */
function callOf({ group, channels, mark }: RollCall, key: string): Event[] {
  const prefix = group.slice(0, group.lastIndexOf(':group:'));
  const queueOf = (channel: string) => prefix + (processOf(channel) ?? channel);
  const own = [...channels].filter((channel) => queueOf(channel) === key);
  if (own.length === 0) return [];
  return [
    {
      atUs: mark.repliedUs ?? mark.requestedUs,
      send: null,
      askedUs: mark.requestedUs,
      queues: new Set([...channels].map(queueOf)),
      channels: own,
    },
  ];
}
