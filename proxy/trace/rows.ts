/**
 * What indexing makes of a tape: rows, as they become known. They go into the trace at once (TraceWriter), or through a thread boundary first
 * (ParcelWriter). Transactions are the caller's, who knows what belongs together.
 */
import type { ClosedBody, OpenedBody } from '../tape.js';
import type { ClientFacts, Hole, Operation, Push } from '../wire/operation.js';

/** Where indexing stands on a connection: what it takes to go on in another process. */
export interface SavedState {
  readonly connection: number;
  readonly state: Buffer;
}

export interface Rows {
  meta(key: string, value: string): void;
  redisSample(atUs: number, values: Readonly<Record<string, string>>): void;

  connection(id: number, openedUs: number, body: OpenedBody): void;
  hasConnection(id: number): boolean;
  connectionClosed(id: number, atUs: number, body: ClosedBody): void;
  connectionEnded(id: number, atUs: number): void;
  connectionBytes(id: number, fromClient: number, fromRedis: number): void;
  connectionFacts(id: number, facts: ClientFacts): void;

  /** A new row. `transaction`: the id of its MULTI. */
  operation(connection: number, operation: Operation, transaction: number | null): void;
  /** What a row written before lacked: its reply. */
  operationReply(operation: Operation): void;

  /** The largest id of a push; 0 where there is none. */
  lastPush(): number;
  push(id: number, connection: number, push: Push): void;
  pushFlushed(id: number, push: Push): void;

  /** A new row, or a hole that has grown. */
  hole(connection: number | null, hole: Hole): void;

  saveState(connection: number, state: Buffer): void;
  dropState(connection: number): void;
  states(): readonly SavedState[];

  /** Writes the rows that wait for company; to be called before each commit. */
  flush(): void;
}
