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
import type { ClientFacts, Direction, Hole, Operation, Push } from './operation.js';
import { kindOf } from './push-frame.js';
import { Queue } from './queue.js';
import { type ReadRequest, readRequest } from './read-request.js';
import { ReplyFramer, type ReplyFramerState } from './reply-framer.js';
import { RequestFramer, type RequestFramerState } from './request-framer.js';
import { RequestOrder, type RequestOrderState } from './request-order.js';
import { Session, type SessionRequest, type SessionState } from './session.js';

export const DEFAULT_KEEP_BYTES = 1 << 20;
/** Less would cut what pairing has to read. */
const LEAST_KEEP_BYTES = 1024;

/** Where a conversation's facts go. Everything handed over may be kept: it does not alias the chunks. */
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
  readonly parts: { readonly bytes: Buffer; readonly length: number }[];
}

/** A reply or a push that has been read from Redis, not yet handed to the client; `end`: offset of the byte after it. */
type Unflushed =
  | { readonly end: number; readonly operation: Operation }
  | { readonly end: number; readonly push: Push };

/** Plain data, for v8.serialize; opaque to everybody else. */
export interface ConversationState {
  readonly version: 1;
  readonly requests: RequestFramerState;
  readonly replies: ReplyFramerState;
  readonly session: SessionState;
  readonly order: RequestOrderState;
  readonly waiting: readonly Waiting[];
  readonly unflushed: readonly Unflushed[];
  readonly clientHole: Hole | null;
  readonly redisHole: Hole | null;
  readonly facts: ClientFacts;
  readonly sequence: number;
  readonly owed: number;
  readonly requestChunkEnd: number;
  readonly clientOffset: number;
  readonly redisOffset: number;
  readonly clientFrameUs: number;
  readonly redisFrameUs: number;
  readonly repliesRead: number;
  readonly unasked: boolean;
  readonly beganBefore: boolean;
}

const OK = Buffer.from('+OK\r\n');
const NO_WORDS: readonly string[] = [];
/** Shared by all requests that are answered by one frame; never added to. */
const NO_PARTS: Waiting['parts'] = [];

/** Redis refuses a connection before it reads from it: these answer no request, even if one is there already. */
const REFUSED_CONNECTION = ['-ERR max number of clients', '-DENIED Redis is running in protected mode'];

/** Its reply changes nothing for what follows. */
const isPlain = (role: Role) => role === 'plain' || role === 'script';

function isRefusedConnection(frame: Buffer): boolean {
  const text = frame.toString('latin1', 0, 64);
  return REFUSED_CONNECTION.some((start) => text.startsWith(start));
}
const PLUS = 43;
const MINUS = 45;

export class Conversation {
  private readonly sink: ConversationSink;
  private readonly keepBytes: number;
  private requests: RequestFramer;
  private replies: ReplyFramer;
  private session = new Session();
  private order = new RequestOrder();

  private readonly waiting = new Queue<Waiting>();
  private readonly unflushed = new Queue<Unflushed>();
  private clientHole: Hole | null = null;
  private redisHole: Hole | null = null;
  private said: ClientFacts = {};

  private sequence = 0;
  /** Requests that expect a reply which has not been handed to the client. */
  private owed = 0;
  /** Offset of the end of the chunk in which the last request ended. */
  private requestChunkEnd = 0;
  /** Bytes of each direction so far, those that are missing included. */
  private clientOffset = 0;
  private redisOffset = 0;
  /** When the frame began that is not whole yet. */
  private clientFrameUs = 0;
  private redisFrameUs = 0;
  private repliesRead = 0;
  /** A reply came that nobody asked for: whatever follows it cannot be trusted. */
  private unasked = false;
  /** While a chunk is read that went straight to the client's kernel: when that was. Else null. */
  private flushedAtUs: number | null = null;
  private beganBefore: boolean;

  constructor(sink: ConversationSink, options: ConversationOptions = {}) {
    this.sink = sink;
    this.keepBytes = Math.max(options.keepBytes ?? DEFAULT_KEEP_BYTES, LEAST_KEEP_BYTES);
    this.requests = new RequestFramer(this.keepBytes);
    this.replies = new ReplyFramer(this.keepBytes);
    this.beganBefore = options.beganBefore ?? false;
  }

  /** Bytes read from the client, in order. The chunk may be reused after the call. */
  clientBytes(chunk: Buffer, atUs: number): void {
    if (this.beganBefore) this.missBeginning(atUs);
    const start = this.clientOffset;
    this.clientOffset += chunk.length;
    if (this.clientHole !== null) {
      this.clientHole.bytes += chunk.length;
      return;
    }
    const { requests } = this;
    // Requests outlive the chunk, as their replies come in a later call: one copy for all of them.
    requests.push(requests.skips(chunk.length) ? chunk : Buffer.from(chunk));
    while (requests.next()) this.request(atUs);
    if (requests.failure !== null) {
      const { offset, reason } = requests.failure;
      this.clientHole = this.openHole('client', offset, atUs, 'unframed', reason);
      this.clientHole.bytes = this.clientOffset - offset;
    } else if (requests.midFrame && requests.offset >= start) {
      this.clientFrameUs = atUs;
    }
  }

  /** Bytes read from Redis, in order. `flushed`: they, and all before them, were handed to the client's kernel at `atUs`. */
  redisBytes(chunk: Buffer, atUs: number, flushed: boolean): void {
    if (this.beganBefore) this.missBeginning(atUs);
    const start = this.redisOffset;
    this.redisOffset += chunk.length;
    if (flushed) this.flushed(start, atUs);
    if (this.redisHole !== null) {
      this.redisHole.bytes += chunk.length;
      return;
    }
    const { replies } = this;
    this.flushedAtUs = flushed ? atUs : null;
    replies.push(replies.skips(chunk.length) ? chunk : Buffer.from(chunk));
    while (this.redisHole === null && replies.next()) this.reply(atUs);
    this.flushedAtUs = null;
    if (this.redisHole !== null) return;
    if (replies.failure !== null) {
      this.giveUpReplies(replies.failure.offset, atUs, 'unframed', replies.failure.reason);
    } else if (replies.midFrame && replies.offset >= start) {
      this.redisFrameUs = atUs;
    }
  }

  /** How many of all bytes read from Redis have been handed to the client's kernel by `atUs`. */
  flushed(totalBytes: number, atUs: number): void {
    for (;;) {
      const first = this.unflushed.first();
      if (first === undefined || first.end > totalBytes) return;
      this.unflushed.shift();
      this.handOver(first, atUs);
    }
  }

  /**
   * Bytes that are missing from the tape, at this place of the streams. A direction that lacks bytes is opaque from here to its
   * end; a hole with `reason` says so, and grows with what follows (later calls included).
   */
  dropped(body: DroppedBody): void {
    if (this.beganBefore) this.missBeginning(body.fromUs);
    if (body.fromClient > 0) {
      if (this.clientHole === null) {
        const { requests } = this;
        const offset = requests.midFrame ? requests.offset : this.clientOffset;
        this.clientHole = this.openHole(
          'client',
          offset,
          body.fromUs,
          body.reason,
          'bytes from the client are missing',
        );
        this.clientHole.bytes = this.clientOffset - offset;
      }
      this.clientHole.bytes += body.fromClient;
      this.clientOffset += body.fromClient;
    }
    if (body.fromRedis > 0) {
      const detail = 'bytes from Redis are missing';
      const hole =
        this.redisHole ?? this.giveUpReplies(this.replies.unread, body.fromUs, body.reason, detail);
      hole.bytes += body.fromRedis;
      this.redisOffset += body.fromRedis;
    }
  }

  /** Both sides are closed. Whatever is outstanding goes to the sink as it is; nothing may be called after it. */
  ended(atUs: number): void {
    this.unfinished('client', this.requests, this.clientOffset, this.clientFrameUs, atUs);
    this.unfinished('redis', this.replies, this.redisOffset, this.redisFrameUs, atUs);
    for (const item of this.unflushed.toArray()) this.handOver(item, null);
    for (const { operation } of this.waiting.toArray()) this.sink.operation(operation);
    for (const hole of this.openHoles()) this.sink.hole(hole);
  }

  /** Requests read whose reply, or its flush, is still awaited; in the order of their sequence. */
  outstanding(): readonly Operation[] {
    const replied = this.unflushed.toArray().flatMap((item) => ('operation' in item ? [item.operation] : []));
    return [...replied, ...this.waiting.toArray().map((item) => item.operation)];
  }

  /** Holes that still grow. */
  openHoles(): readonly Hole[] {
    return [this.clientHole, this.redisHole].filter((hole) => hole !== null);
  }

  /** Pushes read but not yet handed to the client. */
  pendingPushes(): readonly Push[] {
    return this.unflushed.toArray().flatMap((item) => ('push' in item ? [item.push] : []));
  }

  /** All that is known so far. */
  facts(): ClientFacts {
    return this.said;
  }

  // Requests

  private request(atUs: number): void {
    const { requests } = this;
    if (requests.argumentCount === 0) {
      this.emptyRequest();
      return;
    }
    const bytes = requests.bytes();
    const read = readRequest(requests, bytes);
    const waiting = this.waitingRequest(bytes, read, atUs);
    if (requests.cut) {
      const kept = requests.offset + bytes.length;
      this.closedHole(
        'client',
        kept,
        requests.length - bytes.length,
        atUs,
        atUs,
        'cut',
        'request longer than what is kept',
      );
    }
    if (waiting.words.length > 0) this.learn(factsOf(waiting.role, read.args));
    if (this.redisHole !== null) {
      this.sink.operation(waiting.operation);
      return;
    }
    if (waiting.expects) this.owed += 1;
    this.waiting.push(waiting);
    if (this.waiting.size === 1) this.advance(atUs);
  }

  private waitingRequest(bytes: Buffer, read: ReadRequest, atUs: number): Waiting {
    const { requests } = this;
    const { role, name } = read.command;
    this.sequence += 1;
    const { sequence } = this;
    const { argumentCount } = requests;
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
      owed: this.owed,
      pipelined: sequence > 1 && requests.offset < this.requestChunkEnd,
      transaction: ordered === null ? null : ordered.transaction,
      keys: read.keys,
      redactedBytes: read.redactedBytes,
      replyKind: null,
      reply: null,
      replyLength: 0,
      repliedUs: null,
      flushedUs: null,
    };
    this.requestChunkEnd = this.clientOffset;
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
    for (;;) {
      const head = this.waiting.first();
      if (head === undefined) return;
      const { session } = this;
      if (isPlain(head.role) && session.quiet) {
        head.operation.transaction = null;
        return;
      }
      head.operation.transaction = session.multi ?? (head.role === 'multi' ? head.sequence : null);
      const expectation = session.expect(head);
      if (expectation === 'ambiguous') {
        const detail = `${head.command} is not answered here, and what it did cannot be told`;
        this.giveUpReplies(this.replies.unread, atUs, 'ambiguous', detail);
        return;
      }
      if (expectation > 0) return;
      this.waiting.shift();
      if (head.expects) this.owed -= 1;
      session.unanswered(head);
      if (head.emptyAfter) session.done();
      head.operation.replyKind = 'none';
      this.sink.operation(head.operation);
    }
  }

  // Replies

  private reply(atUs: number): void {
    const { replies, session } = this;
    this.repliesRead += 1;
    if (this.unasked) {
      this.giveUpReply(atUs, 'ambiguous', 'bytes after a reply that nobody asked for');
      return;
    }
    const head = this.waiting.first();
    const { type } = replies;
    const mayPush = session.mayPush(type);
    if (head !== undefined && isPlain(head.role) && !mayPush && session.quiet && this.repliesRead > 1) {
      const isQueued = type === PLUS && replies.length === 9; // which is odd here
      if (!isQueued && !replies.pushInside) {
        this.settle(head, atUs);
        return;
      }
    }
    this.unusualReply(head ?? null, mayPush, atUs);
  }

  private unusualReply(head: Waiting | null, mayPush: boolean, atUs: number): void {
    const { replies, session } = this;
    const frame = {
      type: replies.type,
      bytes: replies.bytes(),
      length: replies.length,
      pushInside: replies.pushInside,
    };
    if (mayPush) {
      const pushed = session.push(frame, head);
      if (pushed === 'ambiguous') {
        this.giveUpReply(atUs, 'ambiguous', 'a message that may be a reply');
        return;
      }
      if (pushed !== null) {
        this.pushed(pushed, atUs);
        return;
      }
    }
    if (head === null || (this.repliesRead === 1 && isRefusedConnection(frame.bytes))) {
      this.unaskedReply(atUs);
      return;
    }
    const before = session.version;
    const answer = session.answer(head, frame);
    if (answer === 'ambiguous') {
      this.giveUpReply(
        atUs,
        'ambiguous',
        `this is no reply to ${head.command || 'the request'} that is certain`,
      );
      return;
    }
    if (session.version !== before || head.role === 'hello') this.learnVersion(frame.type);
    if (answer === 'more') {
      head.parts.push({ bytes: frame.bytes, length: frame.length });
      return;
    }
    if (head.role === 'multi' && session.multi === null) {
      head.operation.transaction = null;
      this.order.refused(head.sequence);
    }
    this.settle(head, atUs);
  }

  private learnVersion(type: number): void {
    const respVersion = this.session.version;
    if (type !== MINUS && respVersion !== this.said.respVersion) this.learn({ respVersion });
  }

  /** The current frame is the (last) reply to the request at the head. */
  private settle(head: Waiting, atUs: number): void {
    const { replies } = this;
    const { operation } = head;
    let reply = replies.isOk ? OK : replies.bytes();
    let { length } = replies;
    if (head.parts.length > 0) {
      reply = Buffer.concat([...head.parts.map((part) => part.bytes), reply]).subarray(0, this.keepBytes);
      length = head.parts.reduce((sum, part) => sum + part.length, length);
    }
    operation.reply = reply;
    operation.replyLength = length;
    operation.replyKind = kindOf(replies.type, reply);
    operation.repliedUs = atUs;
    const end = replies.offset + replies.length;
    if (length > reply.length) {
      const missing = length - reply.length;
      this.closedHole('redis', end - missing, missing, atUs, atUs, 'cut', 'reply longer than what is kept');
    }
    this.waiting.shift();
    if (!head.expects) this.owed += 1; // it is answered after all
    if (this.flushedAtUs === null) this.unflushed.push({ end, operation });
    else this.handOver({ end, operation }, this.flushedAtUs);
    if (head.emptyAfter) this.session.done();
    if (this.waiting.size > 0) this.advance(atUs);
  }

  private pushed(what: Pick<Push, 'kind' | 'channel'>, atUs: number): void {
    const { replies } = this;
    const bytes = replies.bytes();
    const push: Push = { ...what, bytes, length: replies.length, receivedUs: atUs, flushedUs: null };
    const end = replies.offset + replies.length;
    if (replies.cut) {
      const missing = push.length - bytes.length;
      this.closedHole('redis', end - missing, missing, atUs, atUs, 'cut', 'message longer than what is kept');
    }
    if (this.flushedAtUs === null) this.unflushed.push({ end, push });
    else this.handOver({ end, push }, this.flushedAtUs);
  }

  /** A reply while no request waits, or the refusal of the connection itself. */
  private unaskedReply(atUs: number): void {
    if (this.clientHole !== null) {
      this.giveUpReply(atUs, this.clientHole.reason, 'replies to requests that are not known');
      return;
    }
    if (this.session.muted) {
      this.giveUpReply(atUs, 'ambiguous', 'a reply where none was due');
      return;
    }
    this.pushed({ kind: 'unsolicited', channel: null }, atUs);
    this.unasked = true;
  }

  private handOver(item: Unflushed, atUs: number | null): void {
    if ('push' in item) {
      item.push.flushedUs = atUs;
      this.sink.push(item.push);
      return;
    }
    if (this.redisHole === null) this.owed -= 1;
    item.operation.flushedUs = atUs;
    this.sink.operation(item.operation);
  }

  // Holes

  /** The current frame, and whatever follows, cannot be told. */
  private giveUpReply(atUs: number, reason: string, detail: string): void {
    this.giveUpReplies(this.replies.offset, atUs, reason, detail);
  }

  /** From `offset` on no byte of Redis is understood: whatever waits goes without reply. */
  private giveUpReplies(offset: number, atUs: number, reason: string, detail: string): Hole {
    const hole = this.openHole('redis', offset, atUs, reason, detail);
    hole.bytes = this.redisOffset - offset;
    this.redisHole = hole;
    for (let head = this.waiting.shift(); head !== undefined; head = this.waiting.shift()) {
      this.sink.operation(head.operation);
    }
    this.owed = 0;
    return hole;
  }

  private openHole(
    direction: Direction,
    offset: number,
    fromUs: number,
    reason: string,
    detail: string,
  ): Hole {
    return { id: this.sink.nextHoleId(), direction, offset, bytes: 0, fromUs, toUs: null, reason, detail };
  }

  private closedHole(
    direction: Direction,
    offset: number,
    bytes: number,
    fromUs: number,
    toUs: number,
    reason: string,
    detail: string,
  ): void {
    const hole = this.openHole(direction, offset, fromUs, reason, detail);
    hole.bytes = bytes;
    hole.toUs = toUs;
    this.sink.hole(hole);
  }

  /** The connection was open before the recording. */
  private missBeginning(atUs: number): void {
    this.beganBefore = false;
    const hole = this.openHole('client', 0, 0, 'began-before', 'requests before the recording are not known');
    hole.toUs = atUs;
    this.sink.hole(hole);
    this.giveUpReplies(0, atUs, 'began-before', 'replies may answer requests before the recording');
  }

  /** The connection ended in the middle of a frame: its bytes are in no operation. */
  private unfinished(
    direction: Direction,
    framer: RequestFramer | ReplyFramer,
    offset: number,
    fromUs: number,
    atUs: number,
  ): void {
    const hole = direction === 'client' ? this.clientHole : this.redisHole;
    if (hole !== null || !framer.midFrame) return;
    const detail = 'the connection ended in the middle of a frame';
    this.closedHole(direction, framer.offset, offset - framer.offset, fromUs, atUs, 'unfinished', detail);
  }

  save(): ConversationState {
    return {
      version: 1,
      requests: this.requests.save(),
      replies: this.replies.save(),
      session: this.session.save(),
      order: this.order.save(),
      waiting: this.waiting.toArray(),
      unflushed: this.unflushed.toArray(),
      clientHole: this.clientHole,
      redisHole: this.redisHole,
      facts: this.said,
      sequence: this.sequence,
      owed: this.owed,
      requestChunkEnd: this.requestChunkEnd,
      clientOffset: this.clientOffset,
      redisOffset: this.redisOffset,
      clientFrameUs: this.clientFrameUs,
      redisFrameUs: this.redisFrameUs,
      repliesRead: this.repliesRead,
      unasked: this.unasked,
      beganBefore: this.beganBefore,
    };
  }

  /** Goes on where `save` was called; `options` as they were. `state` is used up: it must not be restored twice. */
  static restore(
    sink: ConversationSink,
    options: ConversationOptions,
    state: ConversationState,
  ): Conversation {
    const restored = new Conversation(sink, options);
    restored.requests = RequestFramer.restore(restored.keepBytes, state.requests);
    restored.replies = ReplyFramer.restore(restored.keepBytes, state.replies);
    restored.session = new Session(state.session);
    restored.order = new RequestOrder(state.order);
    for (const item of state.waiting) restored.waiting.push(item);
    for (const item of state.unflushed) restored.unflushed.push(item);
    restored.clientHole = state.clientHole;
    restored.redisHole = state.redisHole;
    restored.said = state.facts;
    restored.sequence = state.sequence;
    restored.owed = state.owed;
    restored.requestChunkEnd = state.requestChunkEnd;
    restored.clientOffset = state.clientOffset;
    restored.redisOffset = state.redisOffset;
    restored.clientFrameUs = state.clientFrameUs;
    restored.redisFrameUs = state.redisFrameUs;
    restored.repliesRead = state.repliesRead;
    restored.unasked = state.unasked;
    restored.beganBefore = state.beganBefore;
    return restored;
  }
}
