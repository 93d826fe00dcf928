/** MULTI … EXEC: what was queued in between runs at EXEC, and has its reply there. */
import type { Reply, TraceOperation } from '../proxy/trace/trace.js';
import { append } from './append.js';

/**
 * Operations in the order in which they took effect, each with its reply: what was queued under a MULTI waits for its EXEC. Memory grows with
 * the transactions that are under way.
 */
export class Transactions {
  readonly #queued = new Map<number, TraceOperation[]>();

  /** What takes effect by this operation, which is of a transaction; the MULTI itself is not to be given. */
  *ended(operation: TraceOperation, transaction: number): Generator<[TraceOperation, Reply | null]> {
    if (operation.command === 'EXEC') {
      yield* executed(this.#queued.get(transaction) ?? [], operation);
      this.#queued.delete(transaction);
    } else if (operation.command === 'DISCARD') this.#queued.delete(transaction);
    else append(this.#queued, transaction, operation);
  }
}

/** Pairs what was queued with the items of EXEC's reply. What was refused when it was queued has its own reply; of an aborted transaction only that. */
export function* executed(
  queued: readonly TraceOperation[],
  exec: TraceOperation,
): Generator<[TraceOperation, Reply | null]> {
  const { reply } = exec;
  const aborted = reply !== null && reply.kind !== 'array'; // an error, or nil after WATCH
  let item = 0;
  for (const operation of queued) {
    if (operation.reply?.kind === 'error') yield [operation, operation.reply];
    else if (!aborted) yield [new Ran(operation, exec), reply?.items[item++] ?? null];
  }
}

/** What was queued takes effect when EXEC runs it. Its bytes are decoded when somebody looks at them, as ever. */
class Ran implements TraceOperation {
  readonly id: number;
  readonly connection: number;
  readonly command: string;
  readonly transaction: number | null;
  readonly requestedUs: number;
  readonly repliedUs: number | null;
  readonly flushedUs: number | null;
  readonly #queued: TraceOperation;

  constructor(queued: TraceOperation, { requestedUs, repliedUs, flushedUs }: TraceOperation) {
    this.id = queued.id;
    this.connection = queued.connection;
    this.command = queued.command;
    this.transaction = queued.transaction;
    this.requestedUs = requestedUs;
    this.repliedUs = repliedUs;
    this.flushedUs = flushedUs;
    this.#queued = queued;
  }

  get sequence() {
    return this.#queued.sequence;
  }
  get owed() {
    return this.#queued.owed;
  }
  get pipelined() {
    return this.#queued.pipelined;
  }
  get replyKind() {
    return this.#queued.replyKind;
  }
  get requestLength() {
    return this.#queued.requestLength;
  }
  get replyLength() {
    return this.#queued.replyLength;
  }
  get requestCut() {
    return this.#queued.requestCut;
  }
  get replyCut() {
    return this.#queued.replyCut;
  }
  get args() {
    return this.#queued.args;
  }
  get reply() {
    return this.#queued.reply;
  }
}
