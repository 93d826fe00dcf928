/**
 * The truth of one run: what was sent to whom, who was there, and what each consumer really processed, noted in the process that did it,
 * in the trace's own clock. What the analysis reads from the wire is held against this.
 *
 * Truth is per (message, recipient). A recipient is owed a message when it was in the group for certain while it was sent. What nobody
 * processed has the cause that the scenario gave it, or one of the ways to lose that its run has.
 */

export type TruthEvent = { readonly atUs: number } & (
  | { readonly event: 'joined' | 'leaving' | 'left'; readonly channel: string; readonly group: string }
  /** The call begins. `to`: a group, or a channel. */
  | {
      readonly event: 'sending';
      readonly message: string;
      readonly to: string;
      /** The channel of the consumer that sends it, where it says so. */
      readonly as?: string;
    }
  /** The call has come back; `error`: it was refused. */
  | { readonly event: 'sent'; readonly message: string; readonly error?: string }
  | { readonly event: 'processed'; readonly message: string; readonly channel: string }
  /** The scenario made this happen. `channel` null: to all that it was for. */
  | {
      readonly event: 'blamed';
      readonly message: string;
      readonly channel: string | null;
      readonly cause: string;
    }
);

type Noted = TruthEvent extends infer Event
  ? Event extends TruthEvent
    ? Omit<Event, 'atUs'>
    : never
  : never;

/** `causes`: the one that the scenario made, or those that are possible in its run. */
export type Fate =
  /** `left`: it was on its way out. `causes`: why it came late, or more than once. */
  | {
      readonly fate: 'processed';
      readonly times: number;
      readonly left: boolean;
      readonly causes: readonly string[];
    }
  /** Never processed, and still there. No causes: the scenario does not know, and that is a fault of the scenario. */
  | { readonly fate: 'lost'; readonly causes: readonly string[] }
  /** Never processed, and left at that time. `causes`: of the loss, if there was one before it left. */
  | { readonly fate: 'left'; readonly leftUs: number; readonly causes: readonly string[] }
  /** Never processed, nor anything that was sent after it: the run ended first, as far as is known. */
  | { readonly fate: 'unfinished'; readonly causes: readonly string[] };

export interface Truth {
  readonly message: string;
  readonly channel: string;
  readonly fate: Fate;
}

export class TruthLog {
  readonly events: TruthEvent[] = [];
  readonly #nowUs: () => number;
  #waiters: (() => void)[] = [];

  constructor(nowUs: () => number) {
    this.#nowUs = nowUs;
  }

  note(event: Noted): void {
    this.events.push({ ...event, atUs: this.#nowUs() } as TruthEvent);
    for (const waiter of this.#waiters.splice(0)) waiter();
  }

  /** Resolves when the condition holds, which is looked at after each event. Rejects when it does not within ten seconds. */
  async until(condition: () => boolean, what: string): Promise<void> {
    if (!(await this.comesTrue(condition, 10_000))) throw new Error(`waited ten seconds in vain for ${what}`);
  }

  /** Does it, within so many ms? */
  async comesTrue(condition: () => boolean, withinMs: number): Promise<boolean> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      for (const waiter of this.#waiters.splice(0)) waiter();
    }, withinMs);
    while (!late && !condition()) await new Promise<void>((resolve) => this.#waiters.push(resolve));
    clearTimeout(timer);
    return condition();
  }

  /** Was this message processed, by that channel or by any? */
  wasProcessed(message: string, channel?: string): boolean {
    return this.events.some(
      (one) =>
        one.event === 'processed' &&
        one.message === message &&
        (channel === undefined || one.channel === channel),
    );
  }

  /** Channels that have joined a group and are not leaving it. */
  present(): string[] {
    const present = new Set<string>();
    for (const event of this.events)
      if (event.event === 'joined') present.add(event.channel);
      else if (event.event === 'leaving') present.delete(event.channel);
    return [...present];
  }
}

/** By channel, the senders as which its consumer spoke. */
export function spokeAsOf(events: readonly TruthEvent[]): Map<string, ReadonlySet<string>> {
  const spokeAs = new Map<string, ReadonlySet<string>>();
  for (const event of events) {
    if (event.event !== 'sending' || event.as === undefined) continue;
    const { sender } = senderAndCount(event.message);
    spokeAs.set(event.as, new Set([...(spokeAs.get(event.as) ?? []), sender]));
  }
  return spokeAs;
}

/** The id of a message: its sender and its count, which the trace shows too. */
export function messageId(sender: string, count: number): string {
  return `${sender}/${count}`;
}

export function senderAndCount(message: string): { readonly sender: string; readonly count: number } {
  const at = message.lastIndexOf('/');
  return { sender: message.slice(0, at), count: Number(message.slice(at + 1)) };
}

/** What became of every message for every recipient. `losesBy`: the ways in which this run loses what nobody is blamed for. */
export function truthsOf(events: readonly TruthEvent[], losesBy: readonly string[]): Truth[] {
  const history = new History(events);
  return [...history.sendings.values()].flatMap((sending) =>
    [...history.recipientsOf(sending)].map((channel) => ({
      message: sending.message,
      channel,
      fate: history.fateOf(sending, channel, losesBy),
    })),
  );
}

interface Sending {
  readonly message: string;
  readonly to: string;
  readonly fromUs: number;
  toUs: number;
}

interface Stay {
  readonly group: string;
  readonly fromUs: number;
  leavingUs: number;
}

class History {
  readonly sendings = new Map<string, Sending>();
  readonly #stays = new Map<string, Stay[]>();
  /** By channel, the messages that it processed, in its order. */
  readonly #processed = new Map<string, string[]>();
  readonly #blamed = new Map<string, Map<string | null, string>>();

  constructor(events: readonly TruthEvent[]) {
    for (const event of events) this.#add(event);
  }

  #add(event: TruthEvent): void {
    switch (event.event) {
      case 'joined':
        listOf(this.#stays, event.channel).push({
          group: event.group,
          fromUs: event.atUs,
          leavingUs: Number.POSITIVE_INFINITY,
        });
        return;
      case 'leaving': {
        const stay = this.#stays.get(event.channel)?.findLast(({ group }) => group === event.group);
        if (stay) stay.leavingUs = event.atUs;
        return;
      }
      case 'sending': {
        const { message, to, atUs } = event;
        this.sendings.set(message, { message, to, fromUs: atUs, toUs: Number.POSITIVE_INFINITY });
        return;
      }
      case 'sent': {
        const sending = this.sendings.get(event.message);
        if (sending) sending.toUs = event.atUs;
        return;
      }
      case 'processed':
        listOf(this.#processed, event.channel).push(event.message);
        return;
      case 'blamed': {
        const blamed = this.#blamed.get(event.message) ?? new Map<string | null, string>();
        this.#blamed.set(event.message, blamed.set(event.channel, event.cause));
      }
    }
  }

  /** Who was owed it: in the group before the call began, and not leaving before it came back. And who processed or missed it all the same. */
  recipientsOf({ message, to, fromUs, toUs }: Sending): Set<string> {
    const owed = to.includes('!') || !this.#isGroup(to) ? [to] : [];
    for (const [channel, stays] of this.#stays)
      if (stays.some((stay) => stay.group === to && stay.fromUs < fromUs && stay.leavingUs > toUs))
        owed.push(channel);
    for (const [channel, messages] of this.#processed) if (messages.includes(message)) owed.push(channel);
    for (const channel of this.#blamed.get(message)?.keys() ?? []) if (channel !== null) owed.push(channel);
    return new Set(owed);
  }

  fateOf({ message, toUs }: Sending, channel: string, losesBy: readonly string[]): Fate {
    const blamed = this.#blamed.get(message);
    const cause = blamed?.get(channel) ?? blamed?.get(null);
    const causes = cause === undefined ? losesBy : [cause];
    const times = this.#processed.get(channel)?.filter((one) => one === message).length ?? 0;
    const leftUs = Math.max(...(this.#stays.get(channel) ?? []).map(({ leavingUs }) => leavingUs));
    const left = Number.isFinite(leftUs);
    if (times > 0) return { fate: 'processed', times, left, causes: cause === undefined ? [] : causes };
    if (left) return { fate: 'left', leftUs, causes };
    // What was put back is lost no more than any other message that waits.
    if (cause !== undefined && cause !== 'redelivered-late') return { fate: 'lost', causes };
    const later = this.#processed
      .get(channel)
      ?.some((one) => (this.sendings.get(one)?.fromUs ?? Number.NEGATIVE_INFINITY) > toUs);
    return { fate: later ? 'lost' : 'unfinished', causes };
  }

  #isGroup(to: string): boolean {
    return [...this.#stays.values()].some((stays) => stays.some(({ group }) => group === to));
  }
}

function listOf<Key, Item>(lists: Map<Key, Item[]>, key: Key): Item[] {
  const list = lists.get(key) ?? [];
  lists.set(key, list);
  return list;
}
