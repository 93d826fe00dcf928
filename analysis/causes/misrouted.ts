/**
 * A group_send gave one recipient's copy to its process twice, and another recipient's never. channels_redis#93, in the first release with
 * a scripted group_send (2.1.0); mended in PR #99.
 *
 * On the wire: one KEY of the script comes twice with members that name the same `__asgi_channel__`, and a channel that the roll call
 * (ZRANGE) had named is in none of them. A key that comes twice with different recipients is in order: version 2 made a member for each.
 */
import type { EndMisplaced } from '../ending.js';
import type { Journey, Journeys, Mark } from '../journey.js';
import { processOf } from '../profiles/channel-layer.js';
import type { RollCall } from '../roll-calls.js';
import { type Case, type Cause, cite, type Examination } from './cause.js';

const SENDS = new WeakMap<Journeys, ReadonlyMap<number, ReadonlySet<Journey>>>();

/** All that one operation put into queues. */
function sentWith({ id }: Mark, journeys: Journeys): Journey[] {
  let sends = SENDS.get(journeys);
  if (!sends) {
    const found = new Map<number, Set<Journey>>();
    for (const journey of journeys.journeys)
      for (const enqueue of journey.enqueues) {
        const send = found.get(enqueue.id);
        if (send) send.add(journey);
        else found.set(enqueue.id, new Set([journey]));
      }
    sends = found;
    SENDS.set(journeys, sends);
  }
  return [...(sends.get(id) ?? [])];
}

function examine({ journey, end: { enqueue }, evidence }: Case<EndMisplaced>): Examination {
  const sent = sentWith(enqueue, evidence.journeys);
  const named = new Set(sent.flatMap(({ payload }) => payload.recipients ?? []));
  const keys = sent.flatMap(({ enqueues }) => enqueues.filter(({ id }) => id === enqueue.id)).length;
  const call = evidence.rollCalls.before(enqueue, (channels) => isOf(channels, named, keys));
  const twice = `operation ${enqueue.id} put it twice into one queue, both times for ${journey.payload.recipients?.join(', ')}`;
  if (!call)
    return {
      holds: null,
      because: `${twice}; whom it left out is not known, for no roll call (ZRANGE) that fits is in the trace`,
      otherwise: ['duplicated'],
    };
  const forgotten = forgottenBy(call, named, journey.queue);
  if (forgotten.length === 0) return { holds: false, because: `${twice}, and left nobody out` };
  return {
    holds: true,
    because: `${twice}, and never for ${forgotten.join(', ')}, whom the roll call (operation ${call.mark.id}) had named`,
    cites: [cite('roll-call', call.mark)],
  };
}

/** Could this roll call be the one of the send? It named everyone who got it; one KEY was made for each channel. */
function isOf(channels: ReadonlySet<string>, named: ReadonlySet<string>, keys: number): boolean {
  return channels.size <= keys && [...named].every((channel) => channels.has(channel));
}

/** Channels of this queue that were called and not sent to. */
function forgottenBy({ channels }: RollCall, named: ReadonlySet<string>, queue: string): string[] {
  return [...channels].filter(
    (channel) => !named.has(channel) && queue.endsWith(processOf(channel) ?? channel),
  );
}

export const misrouted: Cause<EndMisplaced> = {
  id: 'misrouted',
  verdict: 'not-addressed',
  meaning:
    'The layer mixed up the recipients of one process: one of them was sent the message twice, and another one never.',
  refutedBy: 'a member of the same send for the one who was left out; or members with different recipients.',
  advice:
    'channels_redis 2.1.0 does this when two members of a group live in one process (channels_redis#93); later versions do not.',
  examine,
};
