/**
 * Messages wait in a queue that nobody has polled for more than half of its expiry. Each message that is put there gives the key its full
 * time again; when no more comes, the whole key dies and Redis tells nobody. A message older than the expiry is removed by the next send.
 *
 * Innocent: polled in time; or empty, or only messages for consumers that have left.
 */
import { operationOf } from '../finding.js';
import type { QueueHistory } from '../journey.js';
import { seconds } from '../question.js';
import type { HintKind, HintMaterial } from './hint.js';

function look({ unpolled }: HintMaterial) {
  return unpolled().flatMap(({ queue, fromUs, toUs, last, next, waiting, waitedUs }) => {
    const expiry = waiting[0]?.expiry ?? timeToLive(queue);
    if (expiry === null || waitedUs <= (expiry * 1e6) / 2) return [];
    const n = waiting.length;
    return [
      {
        seen: `Queue ${queue.name} was not polled from ${seconds(fromUs)} to ${seconds(toUs)}, and ${n} ${n === 1 ? 'message' : 'messages'} waited in it, the oldest for ${(waitedUs / 1e6).toFixed(1)} s of the ${expiry} s after which it expires.`,
        operations: [
          operationOf('last-receive', last),
          ...waiting.map((enqueue) => operationOf('enqueue', enqueue)),
          ...(next ? [operationOf('next-receive', next)] : []),
        ],
      },
    ];
  });
}

/** What `send` gives it, in an EXPIRE of its own; null where none is seen. */
function timeToLive({ upkeep }: QueueHistory): number | null {
  const expires = upkeep.flatMap((each) => (each.does === 'expire' ? [each.seconds] : []));
  return expires.at(-1) ?? null;
}

export const ttlAboutToEnd: HintKind = {
  id: 'ttl-about-to-end',
  advice:
    'Find out why the process does not receive. A longer `expiry` of the channel layer gives it more time; it cures nothing.',
  look,
};
