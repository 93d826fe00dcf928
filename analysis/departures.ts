/**
 * Who left, and when: a consumer whose channel has left the last group that it is known to have been in. In Django Channels that is a
 * closed WebSocket: its consumer leaves its groups (`ZREM G channel`), says goodbye, and only then is cancelled, with whatever it
 * was receiving for its process. So the departure that may have set a loss off is the one just before it; a server
 * that cancels first and leaves afterwards shows it just after.
 *
 * A consumer's requests go out on the connections of its whole process, so the trace knows no more of it than its name: where
 * several leave at once, any of them may be the one.
 */
import { append } from './append.js';
import type { Journeys, Mark } from './journey.js';
import { countWhile } from './moment.js';
import { processOf } from './profiles/channel-layer.js';

export interface Departure {
  readonly channel: string;
  /** The last group that it left. */
  readonly group: string;
  /** The ZREM. */
  readonly mark: Mark;
}

/** Of the shortest name of a process, in channels_redis up to 2: eight letters and a `!`. */
const TAIL = 9;

/** A departure further off than this is not called next to anything. */
const NEAR_US = 2_000_000;

export class Departures {
  /** Of each process (as its channels' names begin), in the order of requests. */
  readonly #byProcess = new Map<string, Departure[]>();

  readonly #byQueue = new Map<string, readonly Departure[]>();
  /** Processes by the last letters of their names, which are drawn at random. */
  readonly #processes = new Map<string, string[]>();

  constructor({ memberships, seenIn }: Pick<Journeys, 'memberships' | 'seenIn'>) {
    for (const [channel, changes] of memberships) {
      const process = processOf(channel);
      if (process === null) continue;
      const groups = new Set(seenIn.get(channel));
      let gone = false;
      for (const { group, joined, mark } of changes) {
        if (joined) groups.add(group);
        else groups.delete(group);
        if (!gone && groups.size === 0) this.#add(process, { channel, group, mark });
        gone = groups.size === 0;
      }
    }
    for (const list of this.#byProcess.values())
      list.sort((a, b) => a.mark.requestedUs - b.mark.requestedUs || a.mark.id - b.mark.id);
  }

  #add(process: string, departure: Departure): void {
    const list = this.#byProcess.get(process);
    if (list) list.push(departure);
    else {
      this.#byProcess.set(process, [departure]);
      append(this.#processes, process.slice(-TAIL), process);
    }
  }

  #listOf(queue: string): readonly Departure[] {
    const key = processOf(queue) ?? queue;
    const process = this.#processes.get(key.slice(-TAIL))?.find((one) => key.endsWith(one));
    return (process !== undefined && this.#byProcess.get(process)) || [];
  }

  /** All of them, process by process. */
  all(): Departure[] {
    return [...this.#byProcess.values()].flat();
  }

  /** Those of the process that reads this queue, in order. The queue's key ends with the process' name; its own name may say its host, too. */
  ofQueue(queue: string): readonly Departure[] {
    let list = this.#byQueue.get(queue);
    if (!list) {
      list = this.#listOf(queue);
      this.#byQueue.set(queue, list);
    }
    return list;
  }

  /** Those within a span, in order. */
  within(queue: string, fromUs: number, toUs: number): Departure[] {
    const list = this.ofQueue(queue);
    const begin = countWhile(list, ({ mark }) => mark.requestedUs < fromUs);
    return list.slice(begin, countUpTo(list, toUs));
  }

  /** The last one up to a moment, however long before. */
  lastBefore(queue: string, atUs: number): Departure | null {
    const list = this.ofQueue(queue);
    return list[countUpTo(list, atUs) - 1] ?? null;
  }

  /** The one next to a moment: the last before it, else the first after it, within two seconds. */
  nextTo(queue: string, atUs: number): Departure | null {
    const list = this.ofQueue(queue);
    const at = countUpTo(list, atUs);
    const near = (one: Departure | undefined) => one && Math.abs(one.mark.requestedUs - atUs) <= NEAR_US;
    return [list[at - 1], list[at]].find(near) ?? null;
  }
}

/** How many of a sorted list lie at or before a moment. */
function countUpTo(list: readonly Departure[], atUs: number): number {
  return countWhile(list, ({ mark }) => mark.requestedUs <= atUs);
}
