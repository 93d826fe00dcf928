/** How a message came to its end, in sentences: of a finding, for a person who has never seen the wire. */
import { createHash } from 'node:crypto';
import type { Ending } from './ending.js';
import type { Evidence } from './evidence.js';
import type { Journey } from './journey.js';
import type { Payload } from './payload.js';
import { seconds } from './question.js';

/** A name for messages without sender and count: first 12 hex digits of the SHA-256 of the member. Null: it is not on the wire. */
export function digestOf(member: Buffer): string | null {
  if (member.length === 0) return null;
  return createHash('sha256').update(member).digest('hex').slice(0, 12);
}

export function storyOf(journey: Journey, evidence: Evidence): string[] {
  return [
    sentStory(journey, evidence),
    ...unreadableStory(journey.payload, recipientsStory(journey.payload)),
    ...poppedStory(journey),
  ];
}

/** What follows for those it was for. */
export function consequencesOf({ payload }: Journey, ending: Ending): string[] {
  if (ending.at !== 'pop') return [];
  const { present } = ending;
  return [
    "No ZADD to the $inflight backup followed on any connection before the queue's next receive step, and it was never popped again.",
    present === null
      ? 'It does not say who it was for.'
      : `${present.length} of its ${payload.recipients?.length ?? 0} recipients were still there.`,
  ];
}

/** The beginning of a sentence about it. */
export function whichMessage({ sender, count }: Payload, member: Buffer): string {
  return sender === null ? `The message ${digestOf(member)}` : `Message ${count} of sender ${sender}`;
}

/** Nothing where the payload can be read. `who`: what follows of its recipients. */
export function unreadableStory({ excerpt }: Payload, who: string): string[] {
  if (excerpt !== null) return [];
  return [`Its payload is encrypted or of another format, so gaptrace names it by digest${who}.`];
}

function recipientsStory({ recipients }: Payload): string {
  return recipients === null
    ? ' and cannot say who it was for'
    : '; who it was for, the roll call (ZRANGE) of its group says';
}

function sentStory({ payload, queue, member, enqueues }: Journey, evidence: Evidence): string {
  const group = evidence.groupOf(payload.recipients);
  const who = whichMessage(payload, member);
  const [enqueue] = enqueues;
  if (!enqueue) return `${who} is in the trace without its enqueue, in queue ${queue}.`;
  const to = payload.recipients
    ? ` for ${payload.recipients.length} ${payload.recipients.length === 1 ? 'consumer' : 'consumers'} of one process${group ? ` (group ${group})` : ''}`
    : '';
  const how =
    enqueue.by === 'group_send'
      ? `by group_send (${enqueue.command}, operation ${enqueue.id}; its ZADD and EXPIRE are implied by the script, not seen)`
      : `by send (${enqueue.command}, operation ${enqueue.id})`;
  return `${who} was put into queue ${queue} ${how} on connection ${enqueue.connection} at ${seconds(enqueue.requestedUs)}${to}.`;
}

function poppedStory({ pops }: Journey): string[] {
  const pop = pops.at(-1);
  if (!pop) return [];
  const again =
    pops.length > 1
      ? `, after ${pops.length - 1} earlier ${pops.length === 2 ? 'pop' : 'pops'} of it that were put back`
      : '';
  return [
    `Connection ${pop.connection} took it with ${pop.command} (operation ${pop.id}), answered at ${seconds(pop.repliedUs ?? pop.requestedUs)}${again}.`,
  ];
}
