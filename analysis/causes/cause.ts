/**
 * A cause: one way to lose a message. One file each, registered in causes/index.ts under the end that it explains. Each looks at one
 * message that ended there and says whether the evidence is its own, is against it, or does not decide; two causes never claim
 * one message. Where the evidence allows two, the verdict is `indeterminate` and both are listed.
 */
import type { End, EndAtPop } from '../ending.js';
import type { Evidence } from '../evidence.js';
import type { Journey, Mark, QueueHistory } from '../journey.js';
import type { Beat, Episode } from '../out-of-step.js';
import type { Verdict } from '../verdict.js';

/** What a cause is shown: a message, the end it came to, and all that is known. */
export interface Case<Of extends End = End> {
  readonly journey: Journey;
  readonly end: Of;
  readonly queue: QueueHistory;
  readonly evidence: Evidence;
  /** A client says that it never got it. */
  readonly missed: boolean;
  /** The channels of those who say so, as far as they are known; null where nobody does. */
  readonly missedBy: readonly string[] | null;
  /** How the connection of its last pop was used; null where there was no pop. Read when first asked for. */
  conduct(): PopConduct | null;
}

/** The connection that took the message. */
export interface PopConduct {
  /** The first few requests on it after the pop's reply, in order. */
  readonly after: readonly Beat[];
  /** The episode out of step that the pop falls into, if any. */
  readonly episode: Episode | undefined;
  /** A lost pop before it whose reply may have been read by a wrong caller: from then on the client may have been out of step, and nothing shows that it was not. */
  readonly perhapsSince: Beat | undefined;
}

export interface Citation {
  readonly role: string;
  readonly id: number;
  /** Whose key the citation speaks of; null where the operation's first key does. */
  readonly key: string | null;
}

export type Examination =
  /** `because` is a clause: why this cause. */
  | { readonly holds: true; readonly because: string; readonly cites: readonly Citation[] }
  | { readonly holds: false; readonly because: string }
  /** The evidence allows this cause and another; `otherwise`: verdicts that it allows too. */
  | { readonly holds: null; readonly because: string; readonly otherwise?: readonly Verdict[] };

/** What a cause says to a person. */
export interface Meaning {
  readonly id: string;
  /** The verdict where it holds. */
  readonly verdict: Verdict;
  /** One sentence: what happened, for somebody who knows Django and not Redis. */
  readonly meaning: string;
  /** What in a trace would prove this cause wrong. */
  readonly refutedBy: string;
  /** Which version, setting or pattern cures it. */
  readonly advice: string;
}

export interface Cause<Of extends End = End> extends Meaning {
  examine(example: Case<Of>): Examination;
}

export function cite(role: string, mark: Mark): Citation {
  return { role, id: mark.id, key: mark.key };
}

/** Milliseconds between two moments, for people. */
export function milliseconds(fromUs: number, toUs: number): string {
  return `${((toUs - fromUs) / 1000).toFixed(1)} ms`;
}

/**
 * How many polls of the queue began after the pop's reply and before a moment: how far the receive cycle went on. Where the queue has
 * several readers, another one's polls are not of this cycle.
 */
export function pollsBetween({ pop }: EndAtPop, { queue, evidence }: Case, untilUs: number): number {
  const poppedUs = pop.repliedUs ?? pop.requestedUs;
  const { several } = evidence.loops(queue);
  return evidence.polls(queue).between(poppedUs, untilUs, several ? pop.connection : null);
}
