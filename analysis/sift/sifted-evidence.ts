/**
 * The evidence of a sifted trace for those who ask about all of it: who was in which group, connections and holes as ever; of the queues only what
 * the sift has kept. No judge may use it: for them most of the messages are missing.
 */
import type { Trace } from '../../proxy/trace/trace.js';
import type { ConnectionUse } from '../connection-uses.js';
import { Evidence } from '../evidence.js';
import type { Journey, Journeys, QueueHistory } from '../journey.js';
import { type PayloadFields, readPayload } from '../payload.js';
import { EVERYTHING } from '../scope.js';
import type { KnownBySift } from './known.js';
import type { Sift } from './sift.js';
import type { SiftedQueue } from './sifted-queue.js';
import type { UnderWay } from './under-way.js';

export class SiftedEvidence extends Evidence {
  readonly #sift: Sift;

  constructor(sift: Sift, known: KnownBySift, trace: Trace, fields: PayloadFields) {
    super(trace, fields, EVERYTHING, journeysOf(sift, known, fields), known.comesAndGoes);
    this.#sift = sift;
  }

  override get uses(): ReadonlyMap<number, ConnectionUse> {
    return this.#sift.uses.all;
  }
}

function journeysOf(
  sift: Sift,
  { memberships, seenIn, connectionsOf }: KnownBySift,
  fields: PayloadFields,
): Journeys {
  const queues = [...sift.queues.values()];
  return {
    journeys: [],
    queues: new Map(queues.map((queue) => [queue.name, historyOf(queue, fields)])),
    ...{ memberships, seenIn, connectionsOf },
  };
}

function historyOf(queue: SiftedQueue, fields: PayloadFields): QueueHistory {
  const left = [...queue.underWay].filter(({ backups }) => backups > 0);
  return {
    name: queue.name,
    key: queue.name,
    receives: queue.lastReceives(),
    restores: [],
    emptyPolls: [],
    openPolls: [],
    pollUs: queue.facts.pollUs,
    upkeep: [],
    openAcknowledgements: queue.lastOpenAcknowledgements(),
    acknowledgements: [],
    journeys: left.sort((a, b) => a.at - b.at).map((message) => journeyOf(message, queue.name, fields)),
  };
}

/** Its backup and its acknowledgement. */
function journeyOf(
  { member, backup, acknowledgement }: UnderWay,
  queue: string,
  fields: PayloadFields,
): Journey {
  const bytes = Buffer.from(member, 'latin1');
  return {
    queue,
    member: bytes,
    payload: readPayload(bytes, fields),
    enqueues: [],
    pops: [],
    backups: backup ? [backup] : [],
    refusedBackups: [],
    acknowledgements: acknowledgement ? [acknowledgement] : [],
  };
}
