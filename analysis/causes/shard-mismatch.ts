/**
 * With two or more hosts, a layer picks the host of a name by its hash: `send` hashes the whole channel name, `receive` and
 * `group_send` its process part, so that a message sent to one channel may be put where its process never looks. channels#1492,
 * channels_redis#221, open.
 *
 * On the wire: ZADD K by `send` on one host, never a receive step of K there; K's process receives on another host. To see that takes
 * the traces of both; with one, a queue that is only sent to and never polled says no more than that the others are needed.
 */
import type { EndAtEnqueue } from '../ending.js';
import { isProcessQueue } from '../profiles/channel-layer.js';
import { NOT_YET_RECORDED } from '../several-traces.js';
import { homeOf } from '../shards.js';
import { type Case, type Cause, cite, type Examination } from './cause.js';

function examine({ end: { enqueue }, queue, evidence }: Case<EndAtEnqueue>): Examination {
  if (enqueue.acceptance !== 'accepted') return { holds: false, because: 'Redis did not take it' };
  if (enqueue.by !== 'send' || !isProcessQueue(queue.key))
    return { holds: false, because: 'only send to a channel of one process can miss its host' };
  if (queue.receives.length > 0)
    return { holds: false, because: `its queue is polled there (operation ${queue.receives[0]?.id})` };
  const home = homeOf(enqueue, queue, evidence);
  if (!home)
    return {
      holds: null,
      because:
        'nothing received from its queue on this host in the whole trace, and nothing but send put messages there: with several Redis hosts its process may receive on another, and to know that takes the traces of all hosts together',
      otherwise: ['in-flight'],
    };
  // Its host never changes: what was before this recording would not have been here either.
  const hole = [...evidence.holesHiding(queue.name, { fromUs: 0, toUs: evidence.endUs })].find(
    ({ reason }) => reason !== NOT_YET_RECORDED,
  );
  if (hole)
    return {
      holds: null,
      because: `its process receives on another host (operation ${home.id}), but a hole may hide that it receives here too`,
      otherwise: ['in-flight'],
    };
  return {
    holds: true,
    because: `send put it on one Redis host (operation ${enqueue.id}), and its process receives only on another (operation ${home.id}): nobody ever looks where it is`,
    cites: [cite('enqueue', enqueue), cite('received-elsewhere', home)],
  };
}

export const shardMismatch: Cause<EndAtEnqueue> = {
  id: 'shard-mismatch',
  verdict: 'lost',
  meaning:
    'The layer has several Redis hosts. channels_redis chose the host by the whole channel name when it sent, but by the name of the process when it received, and these were different hosts.',
  refutedBy:
    'a receive step of that queue on the host where it was put, at any time; a pop of it; or both traces being of one Redis.',
  advice:
    'No version of channels_redis cures it (channels#1492, channels_redis#221). Use one host for the channel layer, or reach single channels by group_send to a group of one, which chooses the host as receive does.',
  examine,
};
