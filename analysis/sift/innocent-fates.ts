/** The fates of messages that were plainly delivered, in the order in which each is first seen: read from the trace again, some at a time. */
import type { Trace } from '../../proxy/trace/trace.js';
import { append } from '../append.js';
import type { Fate } from '../audit/fate.js';
import type { Evidence } from '../evidence.js';
import { type PayloadFields, readPayload } from '../payload.js';
import { stepOf } from '../profiles/channel-layer.js';
import { digestOf } from '../story.js';
import type { Innocent } from './innocents.js';
import type { Sift } from './sift.js';

/** So many are read at a time. */
const BATCH = 512;

export interface NumberedFate {
  readonly at: number;
  readonly fate: Fate;
}

export function* innocentFates(
  sift: Sift,
  trace: Trace,
  fields: PayloadFields,
  evidence: Evidence,
): Generator<NumberedFate> {
  const rows = sift.innocents.inOrder();
  for (let from = 0; from < rows.length; from += BATCH) {
    const batch = Array.from(rows.subarray(from, from + BATCH), (row) => sift.innocents.row(row));
    const members = membersOf(batch, sift, trace);
    for (const innocent of batch)
      yield {
        at: innocent.at,
        fate: fateOf(innocent, members.get(innocent.at) as Buffer, sift, fields, evidence),
      };
  }
}

/** By number. */
function membersOf(batch: readonly Innocent[], sift: Sift, trace: Trace): Map<number, Buffer> {
  const wanted = new Map<number, Innocent[]>();
  for (const innocent of batch) append(wanted, innocent.enqueue, innocent);
  const members = new Map<number, Buffer>();
  const ids = [...wanted.keys()].sort((a, b) => a - b);
  for (const operation of trace.operations({ ids })) {
    const step = stepOf(operation, operation.reply);
    if (step?.step !== 'enqueue') continue;
    const byQueue = new Map(step.deliveries.map(({ queue, member }) => [queue, member]));
    for (const { at, queue } of wanted.get(operation.id) ?? [])
      members.set(at, byQueue.get(sift.queueOf(queue).name) ?? Buffer.alloc(0));
  }
  return members;
}

function fateOf(
  { queue, taker, poppedUs, enqueue, pop, backup, acknowledgement }: Innocent,
  member: Buffer,
  sift: Sift,
  fields: PayloadFields,
  evidence: Evidence,
): Fate {
  const { sender, count } = readPayload(member, fields);
  return {
    ...{ sender, count, member: digestOf(member) },
    queue: sift.queueOf(queue).name,
    ...{ verdict: 'delivered', cause: null, alternatives: [], connection: taker },
    client_library: evidence.clientLibrary(taker),
    at_us: poppedUs,
    // Numbers are in the order of requests.
    operations: [...new Set([enqueue, pop, backup, acknowledgement])].sort((a, b) => a - b),
  };
}
