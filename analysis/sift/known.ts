/** What a sift has found out of the whole trace, for those who look at a part of it. */
import type { Trace, TraceConnection } from '../../proxy/trace/trace.js';
import type { ConnectionUse } from '../connection-uses.js';
import { Departures } from '../departures.js';
import type { ComesAndGoes } from '../evidence.js';
import type { Known, OperationsOf } from '../focus/focused-trace.js';
import { ANSWERED_WITHIN_US } from '../focus/look.js';
import type { Journey, Journeys } from '../journey.js';
import { Presence } from '../presence.js';
import { hashOf } from './innocents.js';
import { LONG_US } from './long-polls.js';
import type { Sift } from './sift.js';

export class KnownBySift implements Known {
  readonly connections: ReadonlyMap<number, TraceConnection>;
  readonly connectionsOf: ReadonlyMap<string, ReadonlySet<number>>;
  readonly memberships: Journeys['memberships'];
  readonly seenIn: Journeys['seenIn'];
  readonly comesAndGoes: ComesAndGoes;
  readonly uses: ReadonlyMap<number, ConnectionUse>;
  readonly #sift: Sift;
  readonly #trace: Trace;
  readonly #strangers = new Map<string, boolean>();

  constructor(sift: Sift, trace: Trace, connections: ReadonlyMap<number, TraceConnection>) {
    this.connections = connections;
    this.connectionsOf = sift.connectionsOf();
    const groups = sift.groups.done();
    this.memberships = groups.memberships;
    this.seenIn = groups.seenIn;
    this.comesAndGoes = { departures: new Departures(groups), presence: new Presence(groups) };
    this.uses = sift.uses.all;
    this.#sift = sift;
    this.#trace = trace;
  }

  reading(queue: string): readonly TraceConnection[] | null {
    return this.#sift.queues.get(queue)?.processConnections(this.connections) ?? null;
  }

  inStep(connection: number): boolean {
    return this.uses.get(connection)?.overlaps === false;
  }

  *pollsWaiting(queue: string, beforeId: number, atUs: number): Generator<number> {
    const known = this.#sift.queues.get(queue);
    if (!known) return;
    yield* known.longPolls.waiting(beforeId, atUs, atUs - known.facts.pollUs - ANSWERED_WITHIN_US);
    const trace = this.#trace;
    const just = [...trace.operationIds([queue], trace.idAt(atUs - LONG_US), beforeId)];
    if (just.length === 0) return;
    for (const { id, repliedUs } of trace.operations({ commands: ['BZPOPMIN'], ids: just }))
      if (repliedUs === null || repliedUs >= atUs) yield id;
  }

  everywhere(): readonly number[] {
    return this.#sift.everywhere;
  }

  endOf(transaction: number): readonly number[] {
    const end = this.#sift.ends.get(transaction);
    return end === undefined ? [] : [end];
  }

  operationsOf({ queue, member }: Journey): OperationsOf | null {
    const sifted = this.#sift.queues.get(queue);
    return sifted?.underWay.get(member, hashOf(sifted.number, member)) ?? null;
  }

  withoutStrangers(queue: string): boolean {
    let without = this.#strangers.get(queue);
    if (without === undefined) {
      const messages = this.#sift.queues.get(queue)?.underWay ?? [];
      without = [...messages].every(({ enqueues, pops, backups, acknowledgements }) =>
        pops > 0 ? enqueues > 0 : backups + acknowledgements === 0,
      );
      this.#strangers.set(queue, without);
    }
    return without;
  }
}
