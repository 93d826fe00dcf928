/**
 * One connection's two byte streams into operations, pushes, holes and what the client says of itself.
 *
 * Redis answers the requests of a connection in their order, so a reply belongs to the first request that still waits, unless
 * it is a push. Which frames are pushes, and which requests are not answered at all, depends on what Redis holds about the
 * connection: that is Session's. A request is shown to it only when everything before it has been answered.
 *
 * What cannot be understood is given up, a direction at a time, with a hole that grows to the connection's end:
 * - Redis' bytes (`unframed`, `ambiguous`, `dropped`, `withheld`): requests are still recorded, none of them gets a reply any more,
 *   and `owed` is 0 as nobody can tell.
 * - the client's bytes (`unframed`, `dropped`): the requests read before still get their replies, as Redis takes requests in
 *   order; what comes when none of them waits answers something unknown, and then Redis' bytes are given up too.
 * - `ambiguous`: a reply that no request waits for while replies are turned off, an error after CLIENT REPLY OFF or SKIP (it may
 *   be the refusal of that), an EXEC whose array does not add up, a confirmation of something else. A guess could accuse an innocent.
 * - `began-before`: a connection that was open before the recording. Its first replies may answer requests nobody saw, and
 *   no later place is certain, so Redis' bytes are given up from the start.
 */
import type { DroppedBody } from '../tape.js';
import { factsOf } from './client-facts.js';
import type { Role } from './command.js';
import { HandOver, type Unflushed } from './hand-over.js';
import { Holes, type HolesState } from './holes.js';
import type { ClientFacts, Direction, Hole, Operation, Push } from './operation.js';
import { isRefusedConnection, kindOf } from './push-frame.js';
import { Queue } from './queue.js';
import { type ReadRequest, readRequest } from './read-request.js';
import { ReplyFramer, type ReplyFramerState } from './reply-framer.js';
import { RequestFramer, type RequestFramerState } from './request-framer.js';
import { RequestOrder, type RequestOrderState } from './request-order.js';
import { Session, type SessionRequest, type SessionState } from './session.js';

export const DEFAULT_KEEP_BYTES = 1 << 20;
/** Less would cut what pairing has to read. */
const LEAST_KEEP_BYTES = 1024;

/** Where a conversation's facts go. What is handed over may alias the chunks: whoever keeps it for long copies it. */
export interface ConversationSink {
  nextOperationId(): number;
  nextHoleId(): number;
  /** Settled: replied and handed to the client, or no reply is owed or can be told any more. */
  operation(operation: Operation): void;
  /** Handed to the client, or the connection ended. */
  push(push: Push): void;
  /** Final: it does not grow any more. */
  hole(hole: Hole): void;
  /** All that is known so far, each time something is learnt. */
  facts(facts: ClientFacts): void;
}

export interface ConversationOptions {
  /** Bytes kept of each request and of each reply; the rest is skipped, and a hole `cut` says so. Default 1 MiB, at least 1 KiB. */
  readonly keepBytes?: number;
  /** The connection was open before the recording began: what is outstanding, its mode and its frame borders are not known. */
  readonly beganBefore?: boolean;
}

/** A request that waits for its reply. */
interface Waiting extends SessionRequest {
  readonly operation: Operation;
  /** Does the client expect an answer, as far as its requests tell? Then it counts in `owed`. */
  readonly expects: boolean;
  /** An empty request (`\r\n`, `*0`) came after it. */
  emptyAfter: boolean;
  /** Confirmations that have come, the last one missing: SUBSCRIBE has several frames for a reply. */
  readonly parts: { readonly offset: number; bytes: Buffer; readonly length: number }[];
}

/** Plain data, for v8.serialize; opaque to everybody else. */
export interface ConversationState {
  readonly version: 1;
  readonly requests: RequestFramerState;
  readonly replies: ReplyFramerState;
  readonly session: SessionState;
  readonly order: RequestOrderState;
  readonly holes: HolesState;
  readonly waiting: readonly Waiting[];
  readonly unflushed: readonly Unflushed[];
  readonly facts: ClientFacts;
  readonly counts: Counts;
}

/** What is counted on the way. */
interface Counts {
  /** Requests so far. */
  sequence: number;
  /** Requests that expect a reply which has not been handed to the client. */
  owed: number;
  /** Offset of the end of the chunk in which the last request ended. */
  requestChunkEnd: number;
  /** Bytes of each direction so far, those that are missing included. */
  clientOffset: number;
  redisOffset: number;
  /** When the frame began that is not whole yet. */
  clientFrameUs: number;
  redisFrameUs: number;
  repliesRead: number;
  /** A reply came that nobody asked for: whatever follows it cannot be trusted. */
  unasked: boolean;
  /** The connection was open before the recording, and nothing of it has come yet. */
  beganBefore: boolean;
}

const OK = Buffer.from('+OK\r\n');
const PLUS = 43;
const MINUS = 45;
const NO_WORDS: readonly string[] = [];
/** Shared by all requests that are answered by one frame; never added to. */
const NO_PARTS: Waiting['parts'] = [];

/** Its reply changes nothing for what follows. */
const isPlain = (role: Role) => role === 'plain' || role === 'script';

export class Conversation {
  private readonly sink: ConversationSink;
  private readonly keepBytes: number;
  private readonly requests: RequestFramer;
  private readonly replies: ReplyFramer;
  private readonly session: Session;
  private readonly order: RequestOrder;
  private readonly holes: Holes;
  private readonly handOver: HandOver;
  private readonly waiting = new Queue<Waiting>();
  private readonly counts: Counts;
  private said: ClientFacts;

  constructor(sink: ConversationSink, options: ConversationOptions = {}, saved?: ConversationState) {
    this.sink = sink;
    const keepBytes = Math.max(options.keepBytes ?? DEFAULT_KEEP_BYTES, LEAST_KEEP_BYTES);
    this.keepBytes = keepBytes;
    this.requests = new RequestFramer(keepBytes, saved?.requests);
    this.replies = new ReplyFramer(keepBytes, saved?.replies);
    this.session = new Session(saved?.session);
    this.order = new RequestOrder(saved?.order);
    this.holes = new Holes(sink, saved?.holes);
    this.handOver = new HandOver(this.handOverSink(), saved?.unflushed);
    for (const item of saved?.waiting ?? []) this.waiting.push(item);
    this.counts = { ...(saved?.counts ?? freshCounts(options.beganBefore ?? false)) };
    this.said = saved?.facts ?? {};
  }

  /** Goes on where `save` was called; `options` as they were. `state` is used up: it must not be restored twice. */
  static restore(
    sink: ConversationSink,
    options: ConversationOptions,
    state: ConversationState,
  ): Conversation {
    return new Conversation(sink, options, state);
  }

  /** Bytes read from the client, in order. The chunk is kept, and must stay as it is, until `release`. */
  clientBytes(chunk: Buffer, atUs: number): void {
    const { requests, counts, holes } = this;
    if (counts.beganBefore) this.missBeginning(atUs);
    const start = counts.clientOffset;
    counts.clientOffset += chunk.length;
    if (holes.client !== null) {
      holes.client.bytes += chunk.length;
      return;
    }
    requests.push(chunk);
    while (requests.next()) this.request(atUs);
    if (requests.failure !== null) {
      const { offset, reason } = requests.failure;
      this.giveUpRequests(offset, atUs, 'unframed', reason);
    } else if (requests.midFrame && requests.offset >= start) {
      counts.clientFrameUs = atUs;
    }
  }

  /** Bytes read from Redis, in order. `flushed`: they, and all before them, were handed to the client's kernel at `atUs`. */
  redisBytes(chunk: Buffer, atUs: number, flushed: boolean): void {
    const { replies, counts, holes, handOver } = this;
    if (counts.beganBefore) this.missBeginning(atUs);
    const start = counts.redisOffset;
    counts.redisOffset += chunk.length;
    if (flushed) handOver.upTo(start, atUs);
    if (holes.redis !== null) {
      holes.redis.bytes += chunk.length;
      return;
    }
    handOver.atOnce(flushed ? atUs : null);
    replies.push(chunk);
    while (holes.redis === null && replies.next()) this.reply(atUs);
    handOver.atOnce(null);
    if (holes.redis !== null) return;
    if (replies.failure !== null) {
      this.giveUpReplies(replies.failure.offset, atUs, 'unframed', replies.failure.reason);
    } else if (replies.midFrame && replies.offset >= start) {
      counts.redisFrameUs = atUs;
    }
  }

  /** How many of all bytes read from Redis have been handed to the client's kernel by `atUs`. */
  flushed(totalBytes: number, atUs: number): void {
    this.handOver.upTo(totalBytes, atUs);
  }

  /**
   * Bytes that are missing from the tape, at this place of the streams. A direction that lacks bytes is opaque from here to its
   * end; a hole with `reason` says so, and grows with what follows (later calls included).
   */
  dropped({ fromClient, fromRedis, fromUs, reason }: DroppedBody): void {
    const { counts, holes, requests, replies } = this;
    if (counts.beganBefore) this.missBeginning(fromUs);
    if (fromClient > 0) {
      const hole = holes.client ?? this.giveUpRequests(requests.unread, fromUs, reason, 'bytes are missing');
      hole.bytes += fromClient;
      counts.clientOffset += fromClient;
    }
    if (fromRedis > 0) {
      const hole = holes.redis ?? this.giveUpReplies(replies.unread, fromUs, reason, 'bytes are missing');
      hole.bytes += fromRedis;
      counts.redisOffset += fromRedis;
    }
  }

  /** Both sides are closed. Whatever is outstanding goes to the sink as it is; nothing may be called after it. */
  ended(atUs: number): void {
    const { counts, holes, requests, replies } = this;
    if (holes.client === null && requests.midFrame) {
      this.unfinished('client', requests.offset, counts.clientOffset, counts.clientFrameUs, atUs);
    }
    if (holes.redis === null && replies.midFrame) {
      this.unfinished('redis', replies.offset, counts.redisOffset, counts.redisFrameUs, atUs);
    }
    this.handOver.end();
    this.leaveUnanswered(atUs);
    for (const hole of holes.growing()) this.sink.hole(hole);
  }

  /** Requests read whose reply, or its flush, is still awaited; in the order of their sequence. */
  outstanding(): readonly Operation[] {
    return [...this.handOver.operations(), ...this.waiting.toArray().map((item) => item.operation)];
  }

  /**
   * Lets go of the chunks: what is under way is copied out of them. A chunk is a piece of a block of the tape, and a poll that
   * waits for seconds must not keep the block.
   */
  release(): void {
    this.requests.release();
    this.replies.release();
    for (const { operation, parts } of this.waiting.toArray()) {
      ownBytes(operation);
      for (const part of parts) part.bytes = ownCopy(part.bytes);
    }
    for (const operation of this.handOver.operations()) ownBytes(operation);
    for (const push of this.handOver.pushes()) {
      push.bytes = ownCopy(push.bytes);
      if (push.channel !== null) push.channel = ownCopy(push.channel);
    }
  }

  /** Holes that still grow. */
  openHoles(): readonly Hole[] {
    return this.holes.growing();
  }

  /** Pushes read but not yet handed to the client. */
  pendingPushes(): readonly Push[] {
    return this.handOver.pushes();
  }

  /** All that is known so far. */
  facts(): ClientFacts {
    return this.said;
  }

  save(): ConversationState {
    return {
      version: 1,
      requests: this.requests.save(),
      replies: this.replies.save(),
      session: this.session.save(),
      order: this.order.save(),
      holes: this.holes.save(),
      waiting: this.waiting.toArray(),
      unflushed: this.handOver.save(),
      facts: this.said,
      counts: { ...this.counts },
    };
  }

  // Requests

  private request(atUs: number): void {
    const { requests, counts, holes } = this;
    if (requests.argumentCount === 0) {
      this.emptyRequest();
      return;
    }
    const bytes = requests.bytes();
    const read = readRequest(requests, bytes);
    const waiting = this.waitingRequest(bytes, read, atUs);
    if (requests.cut) holes.cut('client', requests.offset, requests.length, bytes.length, atUs);
    if (waiting.words.length > 0) this.learn(factsOf(waiting.role, read.args));
    if (holes.redis !== null) {
      this.sink.operation(waiting.operation);
      return;
    }
    if (waiting.expects) counts.owed += 1;
    this.waiting.push(waiting);
    if (this.waiting.size === 1) this.advance(atUs);
  }

  private waitingRequest(bytes: Buffer, read: ReadRequest, atUs: number): Waiting {
    const { requests, counts } = this;
    const { role, name } = read.command;
    const { argumentCount } = requests;
    counts.sequence += 1;
    const { sequence } = counts;
    const plain = isPlain(role);
    const words = plain ? NO_WORDS : read.args.map((arg) => arg.toString('latin1'));
    const ordered =
      plain && this.order.plain
        ? null
        : this.order.next({ command: name, role, sequence, argumentCount, words });
    const operation: Operation = {
      id: this.sink.nextOperationId(),
      sequence,
      command: name,
      request: bytes,
      requestLength: requests.length,
      requestedUs: atUs,
      owed: counts.owed,
      pipelined: sequence > 1 && requests.offset < counts.requestChunkEnd,
      transaction: ordered === null ? null : ordered.transaction,
      keys: read.keys,
      redactedBytes: read.redactedBytes,
      replyKind: null,
      reply: null,
      replyLength: 0,
      repliedUs: null,
      flushedUs: null,
    };
    counts.requestChunkEnd = counts.clientOffset;
    return {
      command: name,
      role,
      sequence,
      argumentCount,
      words,
      operation,
      expects: ordered === null || ordered.expects,
      emptyAfter: false,
      parts: plain ? NO_PARTS : [],
    };
  }

  private emptyRequest(): void {
    this.order.empty();
    const last = this.waiting.last();
    if (last === undefined) this.session.done();
    else last.emptyAfter = true;
  }

  private learn(facts: ClientFacts | null): void {
    if (facts === null) return;
    this.said = { ...this.said, ...facts };
    this.sink.facts(this.said);
  }

  /** Looks at the requests at the head: those that Redis does not answer are settled. */
  private advance(atUs: number): void {
    const { session, counts } = this;
    for (let head = this.waiting.first(); head !== undefined; head = this.waiting.first()) {
      const { operation } = head;
      if (isPlain(head.role) && session.quiet) {
        operation.transaction = null;
        return;
      }
      operation.transaction = session.multi ?? (head.role === 'multi' ? head.sequence : null);
      const expectation = session.expect(head);
      if (expectation === 'ambiguous') {
        const detail = `what ${head.command} does here cannot be told from the replies`;
        this.giveUpReplies(this.replies.unread, atUs, 'ambiguous', detail);
        return;
      }
      if (expectation > 0) return;
      this.waiting.shift();
      if (head.expects) counts.owed -= 1;
      session.unanswered(head);
      if (head.emptyAfter) session.done();
      operation.replyKind = 'none';
      this.sink.operation(operation);
    }
  }

  // Replies

  private reply(atUs: number): void {
    const { replies, session, counts } = this;
    counts.repliesRead += 1;
    if (counts.unasked) {
      this.giveUpReply(atUs, 'ambiguous', 'bytes after a reply that nobody asked for');
      return;
    }
    const head = this.waiting.first();
    const mayPush = session.mayPush(replies.type);
    if (head !== undefined && isPlain(head.role) && !mayPush && session.quiet && counts.repliesRead > 1) {
      // `+QUEUED`, or a MONITOR line, would be odd here.
      const isOdd = replies.type === PLUS && (replies.length === 9 || replies.length > 24);
      if (!isOdd && !replies.pushInside) {
        this.settle(head, atUs);
        return;
      }
    }
    this.unusualReply(head ?? null, mayPush, atUs);
  }

  private unusualReply(head: Waiting | null, mayPush: boolean, atUs: number): void {
    const { replies, session } = this;
    const { type, length, pushInside } = replies;
    const frame = { type, bytes: replies.bytes(), length, pushInside };
    const pushed = mayPush ? session.push(frame, head) : null;
    if (pushed === 'ambiguous') {
      this.giveUpReply(atUs, 'ambiguous', 'a message that may be a reply');
    } else if (pushed !== null) {
      this.pushed(pushed, atUs);
    } else if (head === null || (this.counts.repliesRead === 1 && isRefusedConnection(frame.bytes))) {
      this.unaskedReply(atUs);
    } else {
      const answer = session.answer(head, frame);
      if (answer === 'more') {
        head.parts.push({ offset: replies.offset, bytes: frame.bytes, length });
      } else if (answer === 'settled') {
        this.changed(head, type);
        this.settle(head, atUs);
      } else {
        const asked = head.command || 'the request';
        this.giveUpReply(atUs, 'ambiguous', `whether this is the reply to ${asked} is not certain`);
      }
    }
  }

  /** What a reply says beyond itself. */
  private changed(head: Waiting, type: number): void {
    if (head.role === 'multi' && this.session.multi === null) {
      head.operation.transaction = null;
      this.order.refused(head.sequence);
    }
    if ((head.role !== 'hello' && head.role !== 'reset') || type === MINUS) return;
    const respVersion = this.session.version;
    // RESET goes back to 2: no news to somebody who never said HELLO.
    if (respVersion !== (this.said.respVersion ?? (head.role === 'reset' ? 2 : undefined)))
      this.learn({ respVersion });
  }

  /** The current frame is the (last) reply to the request at the head. */
  private settle(head: Waiting, atUs: number): void {
    const { replies, counts } = this;
    const { operation, parts } = head;
    let reply = replies.isOk ? OK : replies.bytes();
    let { length } = replies;
    if (parts.length > 0) {
      reply = Buffer.concat([...parts.map((part) => part.bytes), reply]).subarray(0, this.keepBytes);
      length = parts.reduce((sum, part) => sum + part.length, length);
    }
    operation.reply = reply;
    operation.replyLength = length;
    operation.replyKind = kindOf(replies.type, reply);
    operation.repliedUs = atUs;
    const end = replies.offset + replies.length;
    if (length > reply.length) this.holes.cut('redis', end - length, length, reply.length, atUs);
    this.waiting.shift();
    if (!head.expects) counts.owed += 1; // it is answered after all
    this.handOver.add({ end, operation });
    if (head.emptyAfter) this.session.done();
    if (this.waiting.size > 0) this.advance(atUs);
  }

  private pushed(what: Pick<Push, 'kind' | 'channel'>, atUs: number): void {
    const { replies } = this;
    const { offset, length } = replies;
    const bytes = replies.bytes();
    if (replies.cut) this.holes.cut('redis', offset, length, bytes.length, atUs);
    const push: Push = { ...what, bytes, length, receivedUs: atUs, flushedUs: null };
    this.handOver.add({ end: offset + length, push });
  }

  /** A reply while no request waits, or the refusal of the connection itself. */
  private unaskedReply(atUs: number): void {
    const { client } = this.holes;
    if (client !== null) {
      this.giveUpReply(atUs, client.reason, 'replies to requests that are not known');
    } else if (this.session.muted) {
      this.giveUpReply(atUs, 'ambiguous', 'a reply where none was due');
    } else {
      this.pushed({ kind: 'unsolicited', channel: null }, atUs);
      this.counts.unasked = true;
    }
  }

  /** An operation counts as owed until its reply is handed to the client. */
  private handOverSink() {
    return {
      push: (push: Push) => this.sink.push(push),
      operation: (operation: Operation) => {
        if (this.holes.redis === null) this.counts.owed -= 1;
        this.sink.operation(operation);
      },
    };
  }

  // What is given up

  /** From `offset` on no byte of the client is understood. */
  private giveUpRequests(offset: number, fromUs: number, reason: string, detail: string): Hole {
    const bytes = this.counts.clientOffset - offset;
    return this.holes.open({ direction: 'client', offset, bytes, fromUs, reason, detail });
  }

  /** The current frame, and whatever follows, cannot be told. */
  private giveUpReply(atUs: number, reason: string, detail: string): void {
    this.giveUpReplies(this.replies.offset, atUs, reason, detail);
  }

  /** From `offset` on no byte of Redis is understood: whatever waits goes without reply. */
  private giveUpReplies(offset: number, fromUs: number, reason: string, detail: string): Hole {
    const bytes = this.counts.redisOffset - offset;
    const hole = this.holes.open({ direction: 'redis', offset, bytes, fromUs, reason, detail });
    this.leaveUnanswered(fromUs);
    this.counts.owed = 0;
    return hole;
  }

  /** Whatever waits goes to the sink without reply. */
  private leaveUnanswered(atUs: number): void {
    for (let head = this.waiting.shift(); head !== undefined; head = this.waiting.shift()) {
      for (const { offset, length } of head.parts) {
        this.unfinished('redis', offset, offset + length, atUs, atUs);
      }
      this.sink.operation(head.operation);
    }
  }

  /** Bytes of a frame, or of a reply of several frames, that never became whole: they are in no operation. */
  private unfinished(direction: Direction, offset: number, end: number, fromUs: number, toUs: number): void {
    const detail = 'not whole when the connection ended or was given up';
    const gap = { direction, offset, bytes: end - offset, fromUs, reason: 'unfinished', detail };
    this.holes.closed(gap, toUs);
  }

  /** The connection was open before the recording. */
  private missBeginning(atUs: number): void {
    this.counts.beganBefore = false;
    const reason = 'began-before';
    const detail = 'requests before the recording are not known';
    this.holes.closed({ direction: 'client', offset: 0, bytes: 0, fromUs: 0, reason, detail }, atUs);
    this.giveUpReplies(0, atUs, reason, 'replies may answer requests before the recording');
  }
}

function ownBytes(operation: Operation): void {
  operation.request = ownCopy(operation.request);
  operation.keys = operation.keys.map(ownCopy);
  if (operation.reply !== null) operation.reply = ownCopy(operation.reply);
}

/** The bytes in memory of their own, where they are a small piece of a large one. */
function ownCopy(bytes: Buffer): Buffer {
  const { byteLength } = bytes.buffer;
  return byteLength > Buffer.poolSize && byteLength > 2 * bytes.length ? Buffer.from(bytes) : bytes;
}

function freshCounts(beganBefore: boolean): Counts {
  return {
    sequence: 0,
    owed: 0,
    requestChunkEnd: 0,
    clientOffset: 0,
    redisOffset: 0,
    clientFrameUs: 0,
    redisFrameUs: 0,
    repliesRead: 0,
    unasked: false,
    beganBefore,
  };
}
