/**
 * How a message may have left its queue without being popped: what the trace shows that could have taken it, up to the moment at
 * which it was shown to be gone. The causes of that end each ask here; one is named only where it is the only way.
 */
import type { Case } from './causes/cause.js';
import type { EndInQueue } from './ending.js';
import type { Departure } from './stays.js';

export type Way = Departure['how'] | 'unseen';

export interface Exit {
  /** Each departure that may have been the one, in order. */
  readonly departures: readonly Departure[];
  /** One of them has certainly taken it, or another had before. */
  readonly certain: boolean;
  /** The ways that are possible; `unseen` where it is shown to be gone and no departure must have taken it. */
  readonly ways: ReadonlySet<Way>;
}

export function exitOf({ journey, end: { gone }, queue, evidence }: Case<EndInQueue>): Exit {
  const possible = evidence.models
    .of(queue.name)
    .departuresOf(journey)
    .filter(({ fromUs }) => fromUs <= evidence.endUs);
  const shownUs = gone ? (gone.mark.repliedUs ?? gone.mark.requestedUs) : Number.POSITIVE_INFINITY;
  // A departure is certain only if the trace goes on for long enough to see it done.
  const done = possible.filter(({ certain, byUs }) => certain && byUs <= evidence.endUs);
  const byUs = Math.min(shownUs, ...done.map((departure) => departure.byUs));
  const departures = possible.filter(({ fromUs }) => fromUs <= byUs);
  const certain = done.some((departure) => departure.byUs <= byUs);
  const ways = new Set<Way>(departures.map(({ how }) => how));
  if (gone && !certain) ways.add('unseen');
  return { departures, certain, ways };
}
