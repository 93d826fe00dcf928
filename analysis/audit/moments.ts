/**
 * Losses by moment: those of one process that came so close together that its clients see them as one event, with every room
 * and recipient hit, and the consumer whose departure may have set them off.
 *
 * One process takes all messages of its consumers from one queue, so what disturbs it hits whichever rooms have a message under way
 * at that moment; and the consumer that left had left its groups before, so it loses nothing itself.
 */
import type { Departure } from '../departures.js';
import type { Evidence } from '../evidence.js';
import type { Judgement } from '../judgement.js';
import { isProcessQueue } from '../profiles/channel-layer.js';
import { isLoss } from '../verdict.js';
import { groupedBy } from './totals.js';

export interface Moment {
  /** Null: a general channel, or no process is known. */
  readonly process: string | null;
  readonly fromUs: number;
  readonly toUs: number;
  /** In the order of time; never empty. */
  readonly losses: readonly Judgement[];
  readonly rooms: readonly string[];
  /** Channels that were still there and did not get something that was for them. */
  readonly recipients: readonly string[];
  /** Consumers of the process of which one may have set it off: the last that left first. Several, where they left at once. */
  readonly departures: readonly Departure[];
}

/**
 * Losses of one process no further apart than this are one moment. A receive step is some round trips, well below it; a client that
 * counts ten times a second notices a gap at the next count, 100 ms later. So to people, losses a quarter of a second apart
 * are one event. A longer window would make one moment of the separate disconnects of a busy process.
 */
const MOMENT_US = 250_000;

/** Who left this shortly before the last one that left may as well be who set it off. */
const AT_ONCE_US = 100_000;

/** Every loss in exactly one moment, in the order of time. */
export function momentsOf(judgements: readonly Judgement[], evidence: Evidence): Moment[] {
  const losses = judgements.filter(({ verdict }) => isLoss(verdict)).sort((a, b) => a.atUs - b.atUs);
  return groupedBy(losses, ({ process, queue }) => process ?? queue)
    .flatMap(([, of]) => runsOf(of))
    .map((run) => momentOf(run, evidence))
    .sort((a, b) => a.fromUs - b.fromUs);
}

function runsOf(losses: readonly Judgement[]): Judgement[][] {
  const runs: Judgement[][] = [];
  for (const loss of losses) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    if (run && last && loss.atUs - last.atUs <= MOMENT_US) run.push(loss);
    else runs.push([loss]);
  }
  return runs;
}

function momentOf(losses: readonly Judgement[], evidence: Evidence): Moment {
  const [first, last] = [losses[0] as Judgement, losses.at(-1) as Judgement];
  return {
    process: first.process,
    fromUs: first.atUs,
    toUs: last.atUs,
    losses,
    rooms: [...new Set(losses.flatMap((loss) => roomOf(loss, evidence) ?? []))],
    recipients: [...new Set(losses.flatMap(recipientsHit))],
    departures: departuresOf(losses, evidence),
  };
}

/** The group that the message was for; for a channel that is nobody's own its name; null where that is not known. */
export function roomOf(
  { payload, queue }: { readonly queue: string; readonly payload: Pick<Judgement['payload'], 'recipients'> },
  evidence: Evidence,
): string | null {
  return evidence.groupOf(payload.recipients) ?? (isProcessQueue(queue) ? null : queue);
}

export function recipientsHit({ present, payload }: Judgement): readonly string[] {
  return present ?? payload.recipients ?? [];
}

/** Who left next to the first lost pop, and those who had left just before. */
function departuresOf(losses: readonly Judgement[], evidence: Evidence): Departure[] {
  for (const { queue, waypoints } of losses) {
    const mark = waypoints.find(({ role }) => role === 'departure')?.mark;
    if (!mark) continue;
    const { requestedUs } = mark;
    return evidence.departures.within(queue, requestedUs - AT_ONCE_US, requestedUs).reverse();
  }
  return [];
}
