/**
 * When a queue's time to live may have run out. Each send sets it anew (`EXPIRE K expiry`; group_send inside its script), so it runs out
 * only where nobody sends for `expiry` seconds: then the whole key dies, with all that waits in it, and no operation shows it.
 */
import type { Mark, QueueHistory } from './journey.js';
import { countWhile, type Moment, momentOf } from './moment.js';

/** A time to live that may have run out within this span. */
export interface Death extends Moment {
  /** The operation that set it. */
  readonly mark: Mark;
  readonly seconds: number;
  /** It was set for certain, and nothing can have set another before it ran out. */
  readonly certain: boolean;
}

interface Setting extends Moment {
  readonly mark: Mark;
  readonly seconds: number;
  readonly certain: boolean;
}

/** Redis counts by the wall clock in milliseconds, the trace by a monotonic one. */
const CLOCK_TOLERANCE_US = 50_000;

export function deathsOf(queue: QueueHistory): Death[] {
  const settings = settingsOf(queue);
  const certain = settings.filter((setting) => setting.certain);
  let firstAfter = 0;
  let latestUs = Number.NEGATIVE_INFINITY; // by when all settings so far have happened
  return settings.flatMap((setting, at) => {
    const { mark, seconds, fromUs, byUs } = setting;
    const [earliestUs, dueUs] = [fromUs, byUs].map((us) => us + seconds * 1e6) as [number, number];
    const span = { fromUs: earliestUs - CLOCK_TOLERANCE_US, byUs: dueUs + CLOCK_TOLERANCE_US };
    while (firstAfter < certain.length && (certain[firstAfter] as Setting).fromUs < fromUs) firstAfter++;
    const renewed =
      certain[
        Math.max(
          firstAfter,
          countWhile(certain, (one) => one.fromUs < byUs),
        )
      ];
    const alone = latestUs <= fromUs && (settings[at + 1]?.fromUs ?? Number.POSITIVE_INFINITY) >= span.byUs;
    latestUs = Math.max(latestUs, byUs);
    if (renewed && renewed.byUs <= span.fromUs) return [];
    return [{ mark, seconds, ...span, certain: setting.certain && alone }];
  });
}

/** Everything that sets the queue's time to live, in the order of requests. */
function settingsOf({ journeys, upkeep }: QueueHistory): Setting[] {
  const settings: Setting[] = [];
  for (const { enqueues } of journeys)
    for (const enqueue of enqueues)
      if (enqueue.expiry !== null && enqueue.acceptance !== 'full' && enqueue.acceptance !== 'refused')
        settings.push({
          ...{ mark: enqueue, seconds: enqueue.expiry, ...momentOf(enqueue) },
          certain: enqueue.acceptance === 'accepted',
        });
  for (const each of upkeep)
    if (each.does === 'expire' && each.set !== false)
      settings.push({ mark: each, seconds: each.seconds, ...momentOf(each), certain: each.set === true });
  return settings.sort((a, b) => a.fromUs - b.fromUs || a.mark.id - b.mark.id);
}
