/** How a published message came to its end, in sentences, and the operations that belong to it. */
import type { TraceConnection } from '../../proxy/trace/trace.js';
import type { Waypoint } from '../judgement.js';
import { seconds } from '../question.js';
import { unreadableStory, whichMessage } from '../story.js';
import type { PubSubEnding } from './ending.js';
import type { Publication } from './facts.js';

/** Connections that are named in a sentence; of more, how many. */
const NAMED = 3;

export function storyOf({ mark, channel, payload, member, receivers }: Publication): string[] {
  const answer =
    receivers === null
      ? ''
      : receivers === 0
        ? '; Redis answered that nobody was subscribed'
        : `; Redis counted ${receivers} ${receivers === 1 ? 'subscriber' : 'subscribers'}`;
  return [
    `${whichMessage(payload, member)} was published to ${channel} (PUBLISH, operation ${mark.id}) on connection ${mark.connection} at ${seconds(mark.requestedUs)}${answer}.`,
    ...unreadableStory(payload, ''),
  ];
}

const CLOSERS = { client: 'the client', redis: 'Redis', proxy: 'the proxy' } as const;

/** A clause: whose end of a connection closed first. */
export function howClosed({ id, closedBy, closedHow }: TraceConnection): string {
  return `connection ${id} was closed by ${closedBy === null ? 'nobody' : CLOSERS[closedBy]} (${closedHow})`;
}

/** A clause: what became of it where nothing is lost. */
export function outcomeOf(
  ending: Extract<PubSubEnding, { at: 'nobody' | 'connection' | 'reached' }>,
): string {
  switch (ending.at) {
    case 'nobody':
      return 'nobody was subscribed, and nobody says that it was missed';
    case 'connection':
      return `${howClosed(ending.connection)}, and its process did not subscribe again`;
    case 'reached': {
      const named = ending.hearings
        .slice(0, NAMED)
        .map(({ subscription, push }) => `${subscription.connection} at ${seconds(push?.receivedUs ?? 0)}`);
      const more = ending.hearings.length - named.length;
      return `Redis sent it on connection ${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}, and it was handed on`;
    }
  }
}

export function waypointsOf({ mark }: Publication, ending: PubSubEnding): Waypoint[] {
  const publish = { role: 'publish', mark };
  switch (ending.at) {
    case 'connection': {
      const next = ending.successor?.subscription.asked;
      return [
        publish,
        { role: 'subscribe', mark: ending.subscription.asked },
        ...(next ? [{ role: 'resubscribe', mark: next }] : []),
      ];
    }
    case 'nobody':
    case 'reached':
      return [publish, ...ending.racers.map(({ asked }) => ({ role: 'subscribe', mark: asked }))];
    default:
      return [publish];
  }
}

/** The connection of the subscriber that is spoken of; null where none is. */
export function takerOf(ending: PubSubEnding): number | null {
  switch (ending.at) {
    case 'connection':
    case 'unfinished':
      return ending.subscription.connection;
    case 'undecided':
      return ending.subscription?.connection ?? null;
    case 'nobody':
      return ending.racers[0]?.connection ?? null;
    case 'reached':
      return ending.hearings.length === 1 ? (ending.hearings[0]?.subscription.connection ?? null) : null;
    case 'refused':
      return null;
  }
}
