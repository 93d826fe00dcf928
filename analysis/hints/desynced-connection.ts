/**
 * A connection whose client reads replies that belong to other requests, whether that has lost a message yet or not. A cancelled
 * command left its reply unread (redis-py 4.4.0 to 4.5.3; redis-py#2624). What an episode out of step is, is in ../out-of-step.ts: it
 * begins with a pop that took a message.
 *
 * Innocent: a client that multiplexes sends before earlier replies came, too. So an episode that lost nothing counts only on a
 * connection that was seen in step before: one whole receive cycle, each request after the reply to the one before it.
 */
import type { Conduct } from '../evidence.js';
import { operationOf } from '../finding.js';
import { markOf } from '../journey.js';
import { countWhile } from '../moment.js';
import { type Episode, firstMatchingCycle } from '../out-of-step.js';
import { seconds } from '../question.js';
import type { HintKind, HintMaterial } from './hint.js';

function look({ evidence, trace, conduct }: HintMaterial) {
  const polling = new Set(
    [...evidence.journeys.queues.values()].flatMap(({ receives }) => receives.map((m) => m.connection)),
  );
  return [...polling]
    .filter((connection) => evidence.uses.get(connection)?.overlaps)
    .sort((a, b) => a - b)
    .flatMap((connection) => {
      const conducted = conduct(connection);
      return conducted.episodes
        .filter((episode) => lostIn(conducted, episode) > 0 || wasInStepBefore(conducted, episode))
        .map((episode) => seenOf(connection, conducted, episode, trace));
    });
}

function seenOf(connection: number, conducted: Conduct, episode: Episode, trace: HintMaterial['trace']) {
  const lost = lostIn(conducted, episode);
  const cited = [
    ['reply-owed', episode.owedId],
    ['sent-too-early', episode.overlapId],
    ['in-step-again', episode.endId],
  ] as const;
  const operations = cited.flatMap(([role, id]) => {
    const operation = id === null ? undefined : trace.operation(id);
    return operation ? [operationOf(role, markOf(operation, operation.args[1]?.toString() ?? ''))] : [];
  });
  const from =
    conducted.beats[countWhile(conducted.beats, ({ id }) => id < episode.firstId)]?.requestedUs ?? 0;
  return {
    seen: `Connection ${connection} was out of step from ${seconds(from)} ${episode.endId === null ? 'to its end' : `to operation ${episode.endId}`}: operation ${episode.overlapId} was sent on it before the reply to operation ${episode.owedId} had reached the client. ${lost === 0 ? 'No pop lost its message there.' : `${lost} ${lost === 1 ? 'pop lost its message' : 'pops lost their messages'} there.`}`,
    operations,
  };
}

function lostIn({ beats }: Conduct, { firstId, endId }: Episode): number {
  const from = countWhile(beats, ({ id }) => id < firstId);
  const to = countWhile(beats, ({ id }) => endId === null || id < endId);
  return beats.slice(from, to).filter(({ receive }) => receive?.step === 'pop' && receive.lost).length;
}

function wasInStepBefore({ beats }: Conduct, { firstId }: Episode): boolean {
  const cycle = firstMatchingCycle(beats);
  return cycle !== null && cycle < firstId;
}

export const desyncedConnection: HintKind = {
  id: 'desynced-connection',
  advice:
    'Every reply on such a connection goes to the wrong caller, not only those of pops: group members, counts, anything. redis-py 4.4.0 to 4.5.3 do this; leave these versions.',
  look,
};
