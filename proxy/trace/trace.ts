/**
 * What a reader of a trace is given: rows with their bytes decoded. analysis/ works from these types alone.
 */
import type { ClosedBy, ClosedHow } from '../tape.js';
import type { Push } from '../wire/operation.js';
import type { Reply, ReplyKind } from '../wire/reply.js';

export type { ClosedBy, ClosedHow } from '../tape.js';
export type { Reply, ReplyKind } from '../wire/reply.js';

export interface TraceConnection {
  readonly id: number;
  readonly openedUs: number;
  /** When the first side closed; null while open. */
  readonly closedUs: number | null;
  readonly closedBy: ClosedBy | null;
  readonly closedHow: ClosedHow | null;
  readonly closedDetail: string | null;
  readonly endedUs: number | null;
  readonly clientAddress: string;
  readonly upstreamAddress: string;
  readonly respVersion: 2 | 3;
  /** What the client says of itself; never judge by it. */
  readonly clientName: string | null;
  readonly libraryName: string | null;
  readonly libraryVersion: string | null;
  readonly bytesFromClient: number;
  readonly bytesFromRedis: number;
  readonly unflushedToClient: number | null;
  readonly unflushedToRedis: number | null;
}

export interface TraceOperation {
  readonly id: number;
  readonly connection: number;
  readonly sequence: number;
  readonly command: string;
  readonly requestedUs: number;
  readonly repliedUs: number | null;
  readonly flushedUs: number | null;
  readonly owed: number;
  readonly pipelined: boolean;
  /** `id` of the MULTI it was queued under. */
  readonly transaction: number | null;
  readonly replyKind: ReplyKind | 'none' | null;
  readonly requestLength: number;
  readonly replyLength: number;
  /** Cut when recorded: the last argument, or the reply, is not whole. */
  readonly requestCut: boolean;
  readonly replyCut: boolean;
  /** The request's words, the command name first. Decoded on first use. */
  readonly args: readonly Buffer[];
  /** Decoded on first use. Null: none came, or it was cut. */
  readonly reply: Reply | null;
}

export type PushKind = Push['kind'];

/** What Redis sent on a connection without being asked there: a message to a subscriber, and its like. */
export interface TracePush {
  readonly id: number;
  readonly connection: number;
  readonly kind: PushKind;
  readonly channel: Buffer | null;
  readonly receivedUs: number;
  /** When its last byte was handed to the client's kernel. Null: not yet, or never. */
  readonly flushedUs: number | null;
  readonly length: number;
  /** Decoded on first use. Null: it was cut when recorded. */
  readonly frame: Reply | null;
}

export interface TraceHole {
  readonly id: number;
  readonly connection: number | null;
  readonly direction: 'client' | 'redis' | null;
  readonly fromUs: number;
  readonly toUs: number | null;
  readonly byteOffset: number | null;
  readonly bytes: number;
  readonly reason: string;
  readonly detail: string;
  /** Whose hole it is, where several traces are read as one. */
  readonly trace?: string;
}

/** The reason of the hole in place of the oldest facts, dropped whole (`--retain`): the trace begins where it ends. */
export const RETENTION = 'retention';

/** When one request of a connection was read and its reply handed over, and how it was sent; without what was said. */
export type TraceUse = Pick<
  TraceOperation,
  'id' | 'connection' | 'command' | 'requestedUs' | 'flushedUs' | 'pipelined' | 'transaction' | 'replyKind'
>;

/** One field of INFO, as Redis said it at a moment. */
export interface TraceSample {
  readonly atUs: number;
  readonly field: string;
  readonly value: string;
}

export interface OperationFilter {
  /** Any of these, upper case. */
  readonly commands?: readonly string[];
  /** A glob as Redis' KEYS has it (`*`, `?`, `[a-z]`, `\`), matched against any key of the operation. */
  readonly key?: string;
  readonly connection?: number;
  /** Any of these. */
  readonly connections?: readonly number[];
  /** Requested at or after, microseconds since the start. */
  readonly sinceUs?: number;
  /** Requested before. */
  readonly untilUs?: number;
  /** Bytes found in the request or the reply. */
  readonly text?: string;
  readonly afterId?: number;
  readonly untilId?: number;
  /** Only these, ascending. */
  readonly ids?: readonly number[];
}

export interface Trace {
  readonly path: string;
  readonly meta: ReadonlyMap<string, string>;
  /** Wall clock of time 0, microseconds since 1970. */
  readonly startedUnixUs: number;
  /** Up to here everything that was recorded can be read; a trace still being written goes on after it. */
  readonly watermarkUs: number;
  /** Is a proxy writing it now? */
  readonly live: boolean;
  /** False where it ended abruptly (then a hole says from when on), or is live. */
  readonly endMarker: boolean;
  operations(filter?: OperationFilter): IterableIterator<TraceOperation>;
  operation(id: number): TraceOperation | undefined;
  /** Every operation in the order of ids, without its bytes, which take the time. */
  uses(): IterableIterator<TraceUse>;
  /** Of those after one id and up to another; all, without. */
  operationCount(afterId?: number, untilId?: number): number;
  /** Ids of the operations that touch one of these keys (by their whole names, which are text), ascending, from one id to before another. */
  operationIds(keys: readonly string[], fromId: number, beforeId: number): IterableIterator<number>;
  /** About the first operation that was requested at a moment or later: ids are in the order of requests as they were read. */
  idAt(us: number): number;
  /** Those of a connection in the order of its stream. Without `kinds`, all. */
  pushes(kinds?: readonly PushKind[]): IterableIterator<TracePush>;
  connections(): IterableIterator<TraceConnection>;
  connection(id: number): TraceConnection | undefined;
  holes(): IterableIterator<TraceHole>;
  /** What Redis said of itself, in the order of time. */
  samples(): IterableIterator<TraceSample>;
  /**
   * Runs `read` on one state of the trace: what a proxy writes meanwhile it does not see, so that its answers fit one another. Not
   * for long: until it returns, what is written piles up beside the file.
   */
  snapshot<T>(read: () => T): T;
  /** Read-only SQL; throws GaptraceError GAPTRACE_SQL on a statement that writes or does not parse. */
  sql(statement: string): IterableIterator<Readonly<Record<string, unknown>>>;
  close(): void;
}

/** Called now and then while many rows are read: how many of them so far. */
export type OnRead = (rows: number) => void;
