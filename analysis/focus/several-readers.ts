/**
 * Whether a queue has several readers, as one pass over a trace shows it: two polls outstanding at once on two connections, whose messages were
 * both backed up. Of each connection the last poll is remembered.
 */
import type { TraceOperation } from '../../proxy/trace/trace.js';

/** Why a part of the trace says nothing of such a queue. */
export const SEVERAL_READERS = 'it has several readers';

/** A poll that took a message. */
interface TakingPoll {
  readonly connection: number;
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
    remember(this.#taking, queue, {
      connection,
      member,
      fromUs: requestedUs,
      byUs: repliedUs ?? requestedUs,
    });
  }

  /** A message was backed up: does that show a second reader? */
  shownBy(queue: string, member: string): boolean {
    let shown = false;
    for (const poll of this.#taking.get(queue)?.values() ?? [])
      if (poll.member === member) shown = this.#guard(queue, poll) || shown;
    return shown;
  }

  #guard(queue: string, poll: TakingPoll): boolean {
    let shown = false;
    for (const { connection, fromUs, byUs } of this.#guarded.get(queue)?.values() ?? [])
      if (connection !== poll.connection && byUs > poll.fromUs && fromUs < poll.byUs) shown = true;
    remember(this.#guarded, queue, poll);
    return shown;
  }
}

function remember(polls: Map<string, Map<number, TakingPoll>>, queue: string, poll: TakingPoll): void {
  let known = polls.get(queue);
  if (!known) {
    known = new Map();
    polls.set(queue, known);
  }
  // Behind the others: the first is the oldest.
  known.delete(poll.connection);
  known.set(poll.connection, poll);
  if (known.size <= READERS) return;
  const [oldest] = known.keys();
  if (oldest !== undefined) known.delete(oldest);
}
