/**
 * The message was in its queue, nobody popped it, it was not trimmed, the queue's time had not run out, and it is gone: somebody removed it. Redis itself
 * (eviction under maxmemory, a restart that saved nothing, a failover to a replica that did not have it yet), or a DEL, FLUSHALL or
 * flush of the layer, which is named where it passed the proxy.
 *
 * On the wire: what the queue certainly held (../queue-model.ts), and then a poll that finds it empty, a count of none, or a later message that
 * comes first. INFO samples confirm it: evicted_keys, run_id, role. A client that receives past the proxy would look the same,
 * so it is told only of a queue whose other messages are popped in the trace.
 */
import type { EndInQueue } from '../ending.js';
import { exitOf } from '../exit.js';
import type { Mark, QueueHistory } from '../journey.js';
import { isProcessQueue } from '../profiles/channel-layer.js';
import type { Departure } from '../stays.js';
import { type Case, type Cause, cite, type Examination } from './cause.js';

function examine(example: Case<EndInQueue>): Examination {
  const { end, journey, queue, evidence } = example;
  const { departures, ways, certain } = exitOf(example);
  const removals = departures.filter(({ how }) => how === 'removed').map(({ mark }) => mark);
  if (removals.length === 0 && !ways.has('unseen'))
    return { holds: false, because: 'nothing shows that it was removed' };
  if ([...ways].some((way) => way !== 'removed' && way !== 'unseen'))
    return {
      holds: null,
      because: named(removals) ?? taken(departures) ?? 'it may have gone in other ways, too',
    };
  if (removals.length > 0) return removedInSight(removals, certain, end);
  const { gone } = end;
  if (!gone) return { holds: false, because: 'it may be in its queue still' };
  const losses = evidence.samples.lossesBetween(end.sinceUs, gone.mark.repliedUs ?? gone.mark.requestedUs);
  const doubt = losses.length > 0 ? null : readPastTheProxy(queue, evidence.models.of(queue.name).stranger);
  if (doubt) return { holds: null, because: `${gone.why}; but ${doubt}`, otherwise: ['delivered'] };
  const how = losses.length > 0 ? losses.join('; ') : 'Redis was not asked for it through the proxy';
  return {
    holds: true,
    because: `${gone.why}, no trim took it and the queue's time to live had not run out: it was removed out of sight of the proxy (${how})`,
    cites: [
      ...journey.enqueues.slice(-1).map((mark) => cite('enqueue', mark)),
      cite('shown-gone', gone.mark),
    ],
  };
}

function removedInSight(removals: readonly Mark[], certain: boolean, { gone }: EndInQueue): Examination {
  const because = `${named(removals)}, while it waited in its queue`;
  if (!certain && !gone) return { holds: null, because, otherwise: ['in-flight'] };
  return {
    holds: true,
    because: gone ? `${because}; ${gone.why}` : because,
    cites: removals.map((mark) => cite('removal', mark)),
  };
}

function named(removals: readonly Mark[]): string | null {
  if (removals.length === 0) return null;
  const each = removals.map(
    ({ id, command, connection }) => `operation ${id} (${command}, connection ${connection})`,
  );
  return `${each.join(' or ')} removed it`;
}

function taken(departures: readonly Departure[]): string | null {
  const mark = departures.find(({ how }) => how === 'taken')?.mark;
  return mark
    ? `somebody may have removed it past the proxy; or operation ${mark.id} (${mark.command}) took it, whose connection ${mark.connection} ended before it was answered`
    : null;
}

/** Why somebody may have popped it past the proxy; null where the trace shows this queue's receiving. */
function readPastTheProxy(queue: QueueHistory, stranger: Mark | null): string | null {
  if (stranger)
    return `operation ${stranger.id} shows that some of this queue's traffic does not pass the proxy`;
  if (!isProcessQueue(queue.key)) return 'another worker may have taken it past the proxy';
  return doubtOfReceiving(queue);
}

const DOUBTS = new WeakMap<QueueHistory, string | null>();

/** The same of all messages of the queue; looked for once. */
function doubtOfReceiving(queue: QueueHistory): string | null {
  let doubt = DOUBTS.get(queue);
  if (doubt === undefined) {
    doubt = doubtIn(queue);
    DOUBTS.set(queue, doubt);
  }
  return doubt;
}

function doubtIn({ journeys }: QueueHistory): string | null {
  const unseen = journeys.some(
    ({ pops, backups, acknowledgements }) =>
      pops.length === 0 && backups.length + acknowledgements.length > 0,
  );
  if (unseen) return "some of this queue's operations do not pass the proxy";
  if (journeys.every(({ pops }) => pops.length === 0))
    return 'no message of this queue was popped in the trace: its process may receive past the proxy';
  return null;
}

export const removedOutsideTrace: Cause<EndInQueue> = {
  id: 'removed-outside-trace',
  verdict: 'lost',
  meaning:
    'It was in its queue and was removed there, not received: Redis, or somebody with access to it, dropped it.',
  refutedBy:
    'a pop of it; a trim that covers it; a time to live that ran out; a receiver of this queue whose connections do not pass the proxy.',
  advice:
    'Do not let Redis evict or lose the layer’s keys: `maxmemory-policy noeviction` and enough memory, a Redis of its own for the layer, no FLUSHALL or FLUSHDB (tests and cache.clear() do that), and know that a restart or failover loses what waits.',
  examine,
};
