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
  readonly queue: string;
  readonly verdict: Verdict;
  readonly cause: string | null;
  readonly alternatives: readonly string[];
  /** The connection that took it, and what its client says it is. */
  readonly connection: number | null;
  readonly client_library: string | null;
  readonly at_us: number;
  /** Ids of the operations of its journey. */
  readonly operations: readonly number[];
}

export function fateOf(judgement: Judgement, evidence: Evidence): Fate {
  const { payload, member, queue, verdict, cause, alternatives, taker, atUs, waypoints } = judgement;
  return {
    sender: payload.sender,
    count: payload.count,
    member: digestOf(member),
    ...{ queue, verdict, cause, alternatives },
    connection: taker,
    client_library: taker === null ? null : evidence.clientLibrary(taker),
    at_us: atUs,
    operations: [...new Set(waypoints.map(({ mark }) => mark.id))].sort((a, b) => a - b),
  };
}
