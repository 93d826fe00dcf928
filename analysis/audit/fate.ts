/** What became of one message in one queue, on one line: for programs that want every message, not only the losses. */
import type { Evidence } from '../evidence.js';
import type { Judgement } from '../judgement.js';
import { digestOf } from '../story.js';
import type { Verdict } from '../verdict.js';

export interface Fate {
  readonly sender: string | null;
  readonly count: number | null;
  /** First 12 hex digits of the SHA-256 of the member. Null: it is not on the wire. */
  readonly member: string | null;
  /** Its Redis key; where several hosts have that key, `<key> on <trace>` for all but the first. */
  readonly queue: string;
  readonly verdict: Verdict;
  readonly cause: string | null;
  readonly alternatives: readonly string[];
  /** The connection that took it, and what its client says it is. */
  readonly connection: number | null;
  readonly client_library: string | null;
  /** Of several traces: the one that has this connection, under this number. */
  readonly connection_trace?: string;
  readonly at_us: number;
  /** Ids of the operations of its journey, in the order of requests. */
  readonly operations: readonly number[];
  /** Of several traces: for each of the operations the one that has it, under this id. */
  readonly traces?: readonly string[];
}

export function fateOf(judgement: Judgement, evidence: Evidence): Fate {
  const { payload, member, queue, verdict, cause, alternatives, taker, atUs, waypoints } = judgement;
  const inOrder = waypoints.toSorted(
    ({ mark: a }, { mark: b }) => a.requestedUs - b.requestedUs || a.id - b.id,
  );
  return {
    sender: payload.sender,
    count: payload.count,
    member: digestOf(member),
    ...{ queue, verdict, cause, alternatives },
    connection: taker,
    client_library: taker === null ? null : evidence.clientLibrary(taker),
    at_us: atUs,
    operations: [...new Set(inOrder.map(({ mark }) => mark.id))],
  };
}
