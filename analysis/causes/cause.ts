/**
 * A cause: one way to lose a message that Redis handed out. One file each, registered in causes/index.ts. Each looks at
 * one loss and says whether the evidence is its own, is against it, or does not decide; two causes never claim one loss.
 */
import type { Evidence } from '../evidence.js';
import type { Loss } from '../fate.js';
import type { Mark } from '../journey.js';
import type { Beat, Episode } from '../out-of-step.js';

export type CauseId = 'popped-then-disconnected' | 'stray-pop' | 'reply-desync';

/** What a cause is shown: the loss, and the connection that took the message. */
export interface Case {
  readonly loss: Loss;
  readonly evidence: Evidence;
  /** Requests on the pop's connection after the pop, in order. */
  readonly after: readonly Beat[];
  /** The episode out of step that the pop falls into, if any. */
  readonly episode: Episode | undefined;
}

export interface Citation {
  readonly role: string;
  readonly id: number;
  /** Whose key the citation speaks of; null where the operation's first key does. */
  readonly key: string | null;
}

export type Examination =
  /** `because` completes "Cause: …", a clause each. */
  | { readonly holds: true; readonly because: string; readonly cites: readonly Citation[] }
  | { readonly holds: false; readonly because: string }
  /** The evidence allows this cause and another. */
  | { readonly holds: null; readonly because: string };

export interface Cause {
  readonly id: CauseId;
  /** One sentence: what happened, for somebody who knows Django and not Redis. */
  readonly meaning: string;
  /** What in a trace would prove this cause wrong. */
  readonly refutedBy: string;
  /** Which version, setting or pattern cures it. */
  readonly advice: string;
  examine(example: Case): Examination;
}

export function cite(role: string, mark: Mark): Citation {
  return { role, id: mark.id, key: mark.key };
}

/** Milliseconds between two moments, for people. */
export function milliseconds(fromUs: number, toUs: number): string {
  return `${((toUs - fromUs) / 1000).toFixed(1)} ms`;
}

/** How many polls of the queue began after the pop's reply and before a moment: how far the receive cycle went on. */
export function pollsBetween({ loss, evidence }: Case, untilUs: number): number {
  const poppedUs = loss.pop.repliedUs ?? loss.pop.requestedUs;
  const receives = evidence.journeys.queues.get(loss.pop.key)?.receives ?? [];
  return receives.filter(
    (mark) => mark.command === 'BZPOPMIN' && mark.requestedUs > poppedUs && mark.requestedUs < untilUs,
  ).length;
}
