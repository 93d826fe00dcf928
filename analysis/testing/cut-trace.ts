/**
 * A trace with holes cut into it, as a recorder that could not keep up would leave it: what was said within the span is gone, and a
 * hole says where. For tests that no verdict turns wrong by what is missing.
 */
import type {
  OperationFilter,
  PushKind,
  Trace,
  TraceHole,
  TraceOperation,
  TracePush,
  TraceUse,
} from '../../proxy/trace/trace.js';
import { Evidence } from '../evidence.js';
import { Judge } from '../judge.js';
import { PartialTrace } from '../partial-trace.js';
import { digestOf } from '../story.js';

/** The verdict on each message in each queue, with its cause. */
export function verdicts(trace: Trace): Map<string, string> {
  return new Map(
    new Judge(new Evidence(trace))
      .all()
      .map(({ queue, member, verdict, cause }) => [
        `${queue} ${digestOf(member)}`,
        cause === null ? verdict : `${verdict}: ${cause}`,
      ]),
  );
}

/**
 * The verdicts that holes turn into another than `indeterminate`. A message of which nothing is left has none. One that came late may
 * be `delivered` where the hole hides its first pop: it was, and nobody is accused. `in-flight` is not free to appear:
 * it says that the trace ended first, and a hole is not the end.
 */
export function turnedWrong(whole: Trace, cuts: readonly Cut[]): string[] {
  return turned(verdicts(whole), verdicts(new CutTrace(whole, cuts)));
}

/** The same of two traces that were judged, of which the second lacks something. */
export function turned(before: ReadonlyMap<string, string>, then: ReadonlyMap<string, string>): string[] {
  return [...then].flatMap(([message, after]) => {
    const was = before.get(message);
    if (after === 'indeterminate' || after === was) return [];
    if (after === 'delivered' && was?.startsWith('redelivered-late')) return [];
    return [`${message}: ${was} became ${after}`];
  });
}

/** A span of time; of one connection or all, of one direction or both. */
export interface Cut {
  readonly fromUs: number;
  readonly toUs: number;
  readonly connection: number | null;
  readonly direction: 'client' | 'redis' | null;
}

export class CutTrace extends PartialTrace {
  readonly #cuts: readonly Cut[];

  constructor(whole: Trace, cuts: readonly Cut[]) {
    super(whole);
    this.#cuts = cuts;
  }

  /** An operation whose request is gone is gone; one whose reply is gone has none. */
  *operations(filter?: OperationFilter): IterableIterator<TraceOperation> {
    for (const operation of this.whole.operations(filter)) {
      const left = this.#leftOf(operation);
      if (left) yield left;
    }
  }

  uses(): IterableIterator<TraceUse> {
    return this.operations();
  }

  operation(id: number): TraceOperation | undefined {
    const operation = this.whole.operation(id);
    return operation && (this.#leftOf(operation) ?? undefined);
  }

  override operationCount(afterId = 0, untilId = Number.MAX_SAFE_INTEGER): number {
    return [...this.operations({ afterId, untilId })].length;
  }

  *pushes(kinds?: readonly PushKind[]): IterableIterator<TracePush> {
    for (const push of this.whole.pushes(kinds))
      if (!this.#within(push.connection, push.receivedUs, 'redis')) yield push;
  }

  *holes(): IterableIterator<TraceHole> {
    yield* this.whole.holes();
    for (const [at, cut] of this.#cuts.entries())
      yield { ...cut, id: 1_000_000 + at, byteOffset: null, bytes: 0, reason: 'dropped', detail: '' };
  }

  #leftOf(operation: TraceOperation): TraceOperation | null {
    const { connection, requestedUs, repliedUs } = operation;
    if (this.#within(connection, requestedUs, 'client')) return null;
    return this.#within(connection, repliedUs, 'redis') ? unanswered(operation) : operation;
  }

  #within(connection: number, us: number | null, direction: 'client' | 'redis'): boolean {
    return (
      us !== null &&
      this.#cuts.some(
        (cut) =>
          (cut.connection ?? connection) === connection &&
          cut.direction !== otherThan(direction) &&
          cut.fromUs <= us &&
          us <= cut.toUs,
      )
    );
  }
}

function otherThan(direction: 'client' | 'redis'): 'client' | 'redis' {
  return direction === 'client' ? 'redis' : 'client';
}

function unanswered(operation: TraceOperation): TraceOperation {
  const { args, id, connection, sequence, command, requestedUs, owed, pipelined, transaction } = operation;
  const { requestLength, requestCut } = operation;
  return {
    ...{ args, id, connection, sequence, command, requestedUs, owed, pipelined, transaction },
    ...{ requestLength, requestCut, repliedUs: null, flushedUs: null, replyKind: null, reply: null },
    ...{ replyLength: 0, replyCut: false },
  };
}
