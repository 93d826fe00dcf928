/**
 * Whether a queue has several readers, as one pass over a trace shows it: two polls outstanding at once on two connections, whose messages were
 * both backed up. Of each connection the last poll is remembered.
 */
import type { TraceOperation } from '../../proxy/trace/trace.js';

/** Why a part of the trace says nothing of such a queue. */
export const SEVERAL_READERS = 'it has several readers';

/** A poll that took a message. */
interface TakingPoll {
  readonly member: string;
  readonly fromUs: number;
  readonly byUs: number;
}

/** Connections of a queue whose last poll is remembered. */
const READERS = 64;

export class SeveralReaders {
  /** Of each queue, by connection, the last poll that took something, and the last whose message was backed up. */
  readonly #taking = new Map<string, Map<number, TakingPoll>>();
  readonly #guarded = new Map<string, Map<number, TakingPoll>>();

  /** A poll took a message. */
  popped(queue: string, member: string, { connection, requestedUs, repliedUs }: TraceOperation): void {
    const poll = { member, fromUs: requestedUs, byUs: repliedUs ?? requestedUs };
    remember(this.#taking, queue, connection, poll);
  }

  /** A message was backed up: does that show a second reader? */
  shownBy(queue: string, member: string): boolean {
    let shown = false;
    for (const [connection, poll] of this.#taking.get(queue) ?? [])
      if (poll.member === member) shown = this.#guard(queue, connection, poll) || shown;
    return shown;
  }

  #guard(queue: string, connection: number, poll: TakingPoll): boolean {
    let shown = false;
    for (const [other, { fromUs, byUs }] of this.#guarded.get(queue) ?? [])
      if (other !== connection && byUs > poll.fromUs && fromUs < poll.byUs) shown = true;
    remember(this.#guarded, queue, connection, poll);
    return shown;
  }
}

function remember(
  polls: Map<string, Map<number, TakingPoll>>,
  queue: string,
  connection: number,
  poll: TakingPoll,
): void {
  const known = polls.get(queue) ?? new Map<number, TakingPoll>();
  polls.set(queue, known);
  known.delete(connection);
  known.set(connection, poll);
  const [oldest] = known.keys();
  if (known.size > READERS && oldest !== undefined) known.delete(oldest);
}
