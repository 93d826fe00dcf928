/**
 * What became of one message, from as little of a trace as its answer needs: where an index says that its queues are, and what happened in
 * them around that time. Where a look is not sure to see what the whole trace would show, the next one sees four times as
 * much. The answer is that of the whole trace, or none.
 */
import type { JudgedJourney } from '../judge.js';
import { readPayload } from '../payload.js';
import { stepOf } from '../profiles/channel-layer.js';
import { type FocusedEvidence, spanOf } from './focused-trace.js';
import { type IndexedGround, Look, type Reach } from './look.js';

/** A message in one queue, as judged, and by what. */
export interface Seen {
  readonly judged: JudgedJourney;
  readonly evidence: FocusedEvidence;
}

/** How long before and after it was sent is looked at. */
const LOOKS_US: readonly Reach[] = [
  [60_000, 250_000],
  [300_000, 1_000_000],
  [1_200_000, 4_000_000],
  [5_000_000, 16_000_000],
  [20_000_000, 64_000_000],
];

/** The same member, sent again after so long: not the same attempt. */
const TOO_FAR_APART_US = 20_000_000;

/** A message that was put into a queue, as its operations name it. */
interface Delivered {
  readonly queue: string;
  readonly member: Buffer;
  /** When it was sent, for the first and the last time. */
  readonly firstUs: number;
  readonly lastUs: number;
}

/**
 * The message of a sender in each of its queues, in the order in which it is first seen there. Null: it takes the whole trace to say. Empty:
 * no operation carries it to a queue, and none publishes it.
 */
export function seenOf(sender: string, count: number, ground: IndexedGround): readonly Seen[] | null {
  const carriers = ground.index.find(sender, count);
  if (carriers.some(({ published }) => published)) return null;
  const ids = carriers.map(({ operation }) => operation);
  const delivered = deliveredBy(sender, count, ids, ground);
  const found = delivered.map((one) => seenIn(one, ground));
  if (found.includes(null)) return null;
  return (found as Seen[]).sort((a, b) => firstId(a.judged) - firstId(b.judged));
}

/** Its first operation in the trace: a poll that waited for it may have been asked for before it was sent. */
function firstId({ journey: { enqueues, pops, backups, acknowledgements } }: JudgedJourney): number {
  return Math.min(...[...enqueues, ...pops, ...backups, ...acknowledgements].map(({ id }) => id));
}

function deliveredBy(
  sender: string,
  count: number,
  ids: readonly number[],
  ground: IndexedGround,
): Delivered[] {
  const found = new Map<string, Delivered>();
  for (const operation of ground.read.of(ids)) {
    const step = stepOf(operation, operation.reply);
    if (step?.step !== 'enqueue') continue;
    for (const { queue, member } of step.deliveries) {
      const payload = readPayload(member, ground.fields);
      if (payload.sender !== sender || payload.count !== count) continue;
      const key = `${queue}\n${member.toString('latin1')}`;
      const firstUs = found.get(key)?.firstUs ?? operation.requestedUs;
      found.set(key, { queue, member, firstUs, lastUs: operation.requestedUs });
    }
  }
  return [...found.values()];
}

function seenIn({ queue, member, firstUs, lastUs }: Delivered, ground: IndexedGround): Seen | null {
  const facts = ground.index.queue(queue);
  if (!facts || facts.odd !== null) return null;
  if (lastUs - firstUs > TOO_FAR_APART_US) return null;
  for (const [beforeUs, afterUs] of ground.looksUs ?? LOOKS_US) {
    const span = spanOf(firstUs - beforeUs, lastUs + afterUs, ground.trace);
    const look = new Look({ name: queue, facts }, span, ground);
    const journey = look.journeys.find((one) => one.queue === queue && one.member.equals(member));
    const judged = journey && look.judgement(journey);
    if (judged) return { judged, evidence: look.evidence };
  }
  return null;
}
