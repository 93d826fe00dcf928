/** MULTI … EXEC: what was queued in between runs at EXEC, and has its reply there. */
import type { Reply, TraceOperation } from '../proxy/trace/trace.js';

/** What begins and ends a transaction; they name no key. */
export const BRACKETS: readonly string[] = ['MULTI', 'EXEC', 'DISCARD'];

interface UnderWay {
  /** The sequence number of its MULTI; null where that is not among the operations given. */
  readonly multi: number | null;
  readonly queued: TraceOperation[];
}

/**
 * Operations in the order in which they took effect, each with its reply: what was queued under a MULTI waits for its EXEC. Of a transaction some
 * operations may be left out, but for the MULTI. Memory grows with the transactions that are under way.
 */
export class Transactions {
  readonly #underWay = new Map<number, UnderWay>();

  /** What takes effect by this operation, which is of a transaction. */
  *ended(operation: TraceOperation, transaction: number): Generator<[TraceOperation, Reply | null]> {
    const { command, sequence } = operation;
    if (command === 'MULTI') {
      this.#underWay.set(transaction, { multi: sequence, queued: [] });
      return;
    }
    const { multi, queued } = this.#underWay.get(transaction) ?? { multi: null, queued: [] };
    if (command === 'EXEC' || command === 'DISCARD') {
      this.#underWay.delete(transaction);
      if (command === 'EXEC') yield* executed(queued, operation, multi);
    } else {
      queued.push(operation);
      this.#underWay.set(transaction, { multi, queued });
    }
  }
}

/**
 * What was queued, each with its item of EXEC's reply: that of its place between MULTI and EXEC, where there are as many items as places. What was refused
 * when it was queued has its own reply; of an aborted transaction only that.
 */
function* executed(
  queued: readonly TraceOperation[],
  exec: TraceOperation,
  multi: number | null,
): Generator<[TraceOperation, Reply | null]> {
  const { reply, sequence } = exec;
  const aborted = reply !== null && reply.kind !== 'array'; // an error, or nil after WATCH
  const items = reply?.kind === 'array' ? reply.items : [];
  const first = multi !== null && sequence - multi - 1 === items.length ? multi + 1 : Number.NaN;
  for (const operation of queued) {
    if (operation.reply?.kind === 'error') yield [operation, operation.reply];
    else if (!aborted) yield [new Ran(operation, exec), items[operation.sequence - first] ?? null];
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
