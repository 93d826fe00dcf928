/**
 * What Redis holds about one connection, as far as it decides which bytes answer which request: protocol version, MULTI,
 * subscriptions, MONITOR, CLIENT REPLY. It is driven by requests and replies in the order in which Redis took them: a request
 * is looked at when everything before it has been answered, so this is what Redis knew when it took it.
 *
 * Facts are from Redis 7.0's source (networking.c, server.c, multi.c, pubsub.c) and were tried on 7.0.15. Where the bytes
 * allow two readings the answer is 'ambiguous', and the conversation gives the rest of the stream up.
 */
import type { Role } from './command.js';
import type { Push } from './operation.js';
import { type FrameHead, frameHead, isMonitorLine, messageOf } from './push-frame.js';
import { isConfirmation, Subscriptions, type SubscriptionsState } from './subscriptions.js';

/** A request as pairing sees it. */
export interface SessionRequest {
  /** Upper case. */
  readonly command: string;
  readonly role: Role;
  readonly sequence: number;
  readonly argumentCount: number;
  /** Its arguments after the command's name, those that are whole. Empty for roles that need none. */
  readonly words: readonly string[];
}

/** A reply as pairing sees it: a whole frame from Redis. */
export interface SessionFrame {
  readonly type: number;
  readonly bytes: Buffer;
  readonly length: number;
  readonly pushInside: boolean;
}

/** How many frames answer a request, or nobody can tell. */
export type Expectation = number | 'ambiguous';

/** What a frame is to the request at the head: its (last) reply, one of several, or it cannot be told. */
export type Answer = 'settled' | 'more' | 'ambiguous';

/** Plain data: survives v8.serialize. */
export interface SessionState {
  version: 2 | 3;
  /** `sequence` of the MULTI that is open. */
  multi: number | null;
  /** Requests that Redis queued in it. */
  queued: number;
  /** A queued command will spoil the shape of EXEC's reply. */
  spoilt: boolean;
  monitor: boolean;
  replyOff: boolean;
  /** CLIENT REPLY SKIP was the request before this one. */
  skip: boolean;
  skipNext: boolean;
  /** Replies were turned off or skipped, and nothing shows yet that Redis took that: a refusal would be the next reply. */
  unproven: boolean;
  /** Confirmations that the request at the head still awaits. */
  confirmations: number;
  /** One of them has come. */
  confirming: boolean;
  subscriptions: SubscriptionsState;
}

const PLUS = 43;
const MINUS = 45;
const STAR = 42;
const GREATER = 62;
const UNDERSCORE = 95;
const PERCENT = 37;

const QUEUED = '+QUEUED\r\n';

/** Executed at once inside of MULTI; everything else is queued (server.c, processCommand). */
const NOT_QUEUED: ReadonlySet<Role> = new Set(['exec', 'discard', 'multi', 'watch', 'quit', 'reset']);

/** Allowed on a RESP2 connection that is subscribed; everything else gets an error. */
const ALLOWED_SUBSCRIBED: ReadonlySet<Role> = new Set(['subscribe', 'unsubscribe', 'ping', 'quit', 'reset']);

/** Refused with an argument. */
const BARE: ReadonlySet<Role> = new Set(['multi', 'exec', 'discard', 'reset']);

const isSubscription = (role: Role) => role === 'subscribe' || role === 'unsubscribe';

/** CLIENT REPLY ON, OFF or SKIP, well formed; else null. */
export function replyMode(request: SessionRequest): string | null {
  if (request.role !== 'client' || request.argumentCount !== 3) return null;
  if (request.words[0]?.toUpperCase() !== 'REPLY') return null;
  const mode = request.words[1]?.toUpperCase() ?? '';
  return mode === 'ON' || mode === 'OFF' || mode === 'SKIP' ? mode : null;
}

/** After these Redis answers in another way than one reply a request, or not at all: replication, the Lua debugger, a bare push. */
function leavesOrder({ command, words }: SessionRequest): boolean {
  const [first, second] = words.map((word) => word.toUpperCase());
  switch (command) {
    case 'SYNC':
    case 'PSYNC':
      return true;
    case 'REPLCONF':
      return first === 'ACK' || first === 'GETACK';
    case 'SCRIPT':
      return first === 'DEBUG' && second !== 'NO';
    case 'DEBUG':
      return first === 'PROTOCOL' && second === 'PUSH';
    default:
      return false;
  }
}

export class Session {
  private readonly state: SessionState;
  private readonly subscriptions: Subscriptions;

  constructor(saved?: SessionState) {
    this.subscriptions = new Subscriptions(saved?.subscriptions);
    this.state = saved === undefined ? freshState() : { ...saved };
  }

  get version(): 2 | 3 {
    return this.state.version;
  }

  /** `sequence` of the open MULTI, as the replies tell it. */
  get multi(): number | null {
    return this.state.multi;
  }

  /** Nothing is open that a plain request or its reply could touch. */
  get quiet(): boolean {
    const { state } = this;
    if (state.multi !== null || state.replyOff || state.skip || state.unproven) return false;
    return state.version === 3 || !this.subscriptions.any;
  }

  /** Replies are held back, or it is not certain whether they are. */
  get muted(): boolean {
    return this.state.replyOff || this.state.skip || this.state.unproven;
  }

  /** May a frame of this type be something that no request asked for? */
  mayPush(type: number): boolean {
    if (type === GREATER) return true;
    if (type === PLUS) return this.state.monitor;
    return type === STAR && this.state.version === 2 && this.subscriptions.any;
  }

  /** How many frames answer `request`, now that it is at the head. */
  expect(request: SessionRequest): Expectation {
    const { state } = this;
    const silent = state.replyOff || state.skip;
    const spoken = silent ? 0 : 1;
    const { role } = request;
    if (this.refuses(role)) return spoken;
    if (state.multi !== null && !NOT_QUEUED.has(role)) return spoken;
    if (isSubscription(role)) return this.expectConfirmations(request, spoken);
    const mode = replyMode(request);
    if (mode !== null) return mode === 'ON' ? 1 : 0;
    if (role === 'reset' && !state.skip && request.argumentCount === 1) return 1; // it ends CLIENT REPLY OFF
    if (role === 'odd' && leavesOrder(request)) return 'ambiguous';
    // Redis ignores a MONITOR on a connection that is one: no reply at all.
    if (role === 'monitor' && state.monitor && request.argumentCount === 1) return 0;
    if (!silent) return 1;
    // What is not answered leaves no trace of whether it worked.
    if ((role === 'hello' && request.argumentCount > 1) || role === 'monitor') return 'ambiguous';
    // Nor of when: lines that Redis wrote before a RESET would be read after it.
    if (role === 'reset' && state.monitor) return 'ambiguous';
    if (role === 'exec' && state.spoilt) return 'ambiguous';
    return 0;
  }

  /** Confirmations are pushes: CLIENT REPLY does not hold them back. */
  private expectConfirmations(request: SessionRequest, spoken: number): number {
    const names = request.argumentCount - 1;
    this.state.confirming = false;
    if (names === 0 && request.role === 'subscribe') return spoken; // an error
    const subscribed = this.subscriptions.count(request.command.toLowerCase());
    this.state.confirmations = names > 0 ? names : Math.max(1, subscribed);
    return this.state.confirmations;
  }

  /** A RESP2 connection that is subscribed may do little else. */
  private refuses(role: Role): boolean {
    return this.state.version === 2 && this.subscriptions.any && !ALLOWED_SUBSCRIBED.has(role);
  }

  private queues(role: Role): boolean {
    return this.state.multi !== null && !NOT_QUEUED.has(role);
  }

  /** A request that is not answered was taken by Redis; what it did is what it does when it works. */
  unanswered(request: SessionRequest): void {
    const { state } = this;
    const mode = replyMode(request);
    const couldWork = !BARE.has(request.role) || request.argumentCount === 1;
    if (this.refuses(request.role)) {
      // nothing changes
    } else if (this.queues(request.role)) {
      this.queue(request);
    } else if (mode === 'OFF' || mode === 'SKIP') {
      if (!state.replyOff && !state.skip) state.unproven = true;
      if (mode === 'OFF') state.replyOff = true;
      else if (!state.replyOff) state.skipNext = true;
    } else if (couldWork) {
      this.took(request);
    }
    this.done();
  }

  /** Redis is done with a request, or with an empty one (`\r\n`, `*0`): CLIENT REPLY SKIP moves on by one. */
  done(): void {
    this.state.skip = this.state.skipNext;
    this.state.skipNext = false;
  }

  /** What a frame says to the request at the head. Not for frames that `push` claimed. */
  answer(request: SessionRequest, frame: SessionFrame): Answer {
    const { state } = this;
    const isError = frame.type === MINUS;
    if (frame.pushInside) return 'ambiguous';
    if (state.unproven) {
      // The first reply after CLIENT REPLY OFF or SKIP: an error may be the refusal of that.
      if (isError) return 'ambiguous';
      state.unproven = false;
    }
    const answer = this.answerByRole(request, frame, isError);
    if (answer === 'settled') this.done();
    return answer;
  }

  private answerByRole(request: SessionRequest, frame: SessionFrame, isError: boolean): Answer {
    const { role } = request;
    const isQueued = frame.length === QUEUED.length && frame.bytes.toString('latin1') === QUEUED;
    if (this.refuses(role)) return isError ? 'settled' : 'ambiguous';
    if (this.queues(role)) {
      if (isQueued) this.queue(request);
      return isQueued || isError ? 'settled' : 'ambiguous';
    }
    if (role !== 'script' && (isQueued || (frame.type === PLUS && isMonitorLine(frame.bytes))))
      return 'ambiguous';
    if (isSubscription(role)) return this.confirm(request, frame, isError);
    if (role === 'exec') return this.executed(frame, isError);
    const mode = replyMode(request);
    // An error to CLIENT REPLY ON while replies are off may belong to anything before it.
    if (isError) return mode !== null && this.muted ? 'ambiguous' : 'settled';
    if (mode === 'ON') this.state.replyOff = false;
    // HELLO speaks the version it has switched to: a map in RESP3, an array in RESP2.
    if (role === 'hello') this.state.version = frame.type === PERCENT ? 3 : 2;
    this.took(request);
    return 'settled';
  }

  private executed(frame: SessionFrame, isError: boolean): Answer {
    const { state } = this;
    const open = state.multi !== null;
    const { queued, spoilt } = state;
    state.multi = null;
    if (isError) return 'settled';
    if (!open) return 'ambiguous';
    if (frame.type === UNDERSCORE) return 'settled';
    if (frame.type !== STAR || frame.bytes[0] !== STAR) return 'ambiguous';
    const count = Number.parseInt(frame.bytes.toString('latin1', 1, 12), 10);
    if (count === -1) return 'settled';
    // What EXEC runs is reported to the monitor in the midst of EXEC's own array.
    const interleaved = state.monitor && count > 0;
    return spoilt || interleaved || count !== queued ? 'ambiguous' : 'settled';
  }

  private queue(request: SessionRequest): void {
    this.state.queued += 1;
    // Several confirmations for one item, items that are left out, a version that changes on the way: EXEC's array does not add up.
    const spoils = isSubscription(request.role) || request.role === 'hello' || request.role === 'monitor';
    if (spoils || replyMode(request) !== null) this.state.spoilt = true;
  }

  /** The request worked. */
  private took(request: SessionRequest): void {
    const { state } = this;
    switch (request.role) {
      case 'multi':
        if (state.multi !== null) return;
        state.multi = request.sequence;
        state.queued = 0;
        state.spoilt = false;
        return;
      case 'exec':
      case 'discard':
      case 'quit':
        state.multi = null;
        return;
      case 'monitor':
        state.monitor = true;
        return;
      case 'reset':
        Object.assign(state, freshState());
        this.subscriptions.clear();
        return;
      default:
    }
  }

  private confirm(request: SessionRequest, frame: SessionFrame, isError: boolean): Answer {
    const { state } = this;
    if (isError) return state.confirming ? 'ambiguous' : 'settled';
    if (!this.isConfirmationOf(request, frame)) return 'ambiguous';
    this.subscriptions.confirm(request.command.toLowerCase(), frameHead(frame.bytes)?.second ?? null);
    state.confirming = true;
    state.confirmations -= 1;
    return state.confirmations === 0 ? 'settled' : 'more';
  }

  /** Is the frame the confirmation that this request awaits next? */
  private isConfirmationOf(request: SessionRequest, frame: SessionFrame): boolean {
    if (!isSubscription(request.role) || this.state.multi !== null) return false;
    if (frame.type !== (this.state.version === 2 ? STAR : GREATER)) return false;
    const head = frameHead(frame.bytes);
    if (head === null || head.word !== request.command.toLowerCase()) return false;
    const names = request.argumentCount - 1;
    if (names === 0) return head.second === null || this.subscriptions.has(head.word, head.second);
    const expected = request.words[names - this.state.confirmations];
    return expected === undefined || head.second === null || head.second.toString('latin1') === expected;
  }

  /**
   * What a frame is that `mayPush`: a push; null where it answers the request at the head (or is a reply that nobody asked for);
   * or 'ambiguous'.
   */
  push(
    frame: SessionFrame,
    head: SessionRequest | null,
  ): Pick<Push, 'kind' | 'channel'> | null | 'ambiguous' {
    if (frame.type === PLUS) {
      if (!isMonitorLine(frame.bytes)) return null;
      // A script may return such a line as its status.
      return head?.role === 'script' ? 'ambiguous' : { kind: 'monitor', channel: null };
    }
    const found = frameHead(frame.bytes);
    const message = found === null ? null : messageOf(found);
    // `invalidate` is a word of its own in RESP3 only.
    if (message !== null && (frame.type === GREATER || found?.word !== 'invalidate')) return message;
    if (head !== null && this.isConfirmationOf(head, frame)) return null;
    if (found !== null && isConfirmation(found.word)) return this.unaskedConfirmation(found, head, frame);
    return frame.type === GREATER ? { kind: 'other', channel: null } : null;
  }

  /** Redis unsubscribes from shard channels on its own when a slot moves away. Nothing else is confirmed unasked. */
  private unaskedConfirmation(
    found: FrameHead,
    head: SessionRequest | null,
    frame: SessionFrame,
  ): Pick<Push, 'kind' | 'channel'> | null | 'ambiguous' {
    if (head !== null && isSubscription(head.role) && this.state.multi === null) return 'ambiguous';
    const { word, second } = found;
    if (word === 'sunsubscribe' && second !== null && this.subscriptions.has(word, second)) {
      this.subscriptions.confirm(word, second);
      return { kind: 'other', channel: second };
    }
    return frame.type === GREATER ? 'ambiguous' : null;
  }

  save(): SessionState {
    return { ...this.state, subscriptions: this.subscriptions.save() };
  }
}

function freshState(): SessionState {
  return {
    version: 2,
    multi: null,
    queued: 0,
    spoilt: false,
    monitor: false,
    replyOff: false,
    skip: false,
    skipNext: false,
    unproven: false,
    confirmations: 0,
    confirming: false,
    subscriptions: { channel: [], pattern: [], shard: [] },
  };
}
