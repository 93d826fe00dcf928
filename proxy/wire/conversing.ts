/** For tests: what a conversation makes of recorded bytes, as lines that can be read and compared. */
import { Conversation, type ConversationOptions, type ConversationState } from './conversation.js';
import { decodeReplies } from './decode-reply.js';
import type { ClientFacts, Hole, Operation, Push } from './operation.js';
import type { Reply } from './reply.js';

/** Bytes of one side, as they were read. */
export interface Said {
  readonly from: 'client' | 'redis';
  readonly bytes: Buffer;
}

export class Collected {
  readonly operations: Operation[] = [];
  readonly pushes: Push[] = [];
  readonly holes: Hole[] = [];
  facts: ClientFacts = {};
  private operationIds = 0;
  private holeIds = 0;

  readonly sink = {
    nextOperationId: () => ++this.operationIds,
    nextHoleId: () => ++this.holeIds,
    // As rows do: what is settled is copied at once.
    operation: (operation: Operation) => void this.operations.push(structuredCopy(operation)),
    push: (push: Push) => void this.pushes.push(structuredCopy(push)),
    hole: (hole: Hole) => void this.holes.push(hole),
    facts: (facts: ClientFacts) => {
      this.facts = facts;
    },
  };

  /** In the order of their sequence; they settle in another where some are not answered. */
  get inOrder(): readonly Operation[] {
    return this.operations.toSorted((a, b) => a.sequence - b.sequence);
  }
}

/** The same value, with all its bytes in memory of their own. */
function structuredCopy<Value>(value: Value): Value {
  if (Buffer.isBuffer(value)) return Buffer.from(value) as Value;
  if (Array.isArray(value)) return value.map(structuredCopy) as Value;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [name, structuredCopy(part)]),
  ) as Value;
}

export interface Feeding extends ConversationOptions {
  /** Hands each chunk to the client at once (true), or says so afterwards by the count of bytes. Default true. */
  readonly flushed?: boolean;
  /** What to do with a state between two chunks: a round trip to disk, say. Default: the conversation goes on. */
  readonly saving?: (state: ConversationState) => ConversationState;
}

/** Feeds recorded bytes to a conversation, one chunk a millisecond, and ends it. */
export function converse(said: readonly Said[], feeding: Feeding = {}): Collected {
  const { flushed = true, saving, ...options } = feeding;
  const collected = new Collected();
  let conversation = new Conversation(collected.sink, options);
  // A block that is reused: what is kept beyond `release` would turn into X.
  const block = Buffer.alloc(Math.max(64 * 1024, 3 * Math.max(...said.map(({ bytes }) => bytes.length), 0)));
  let atUs = 0;
  let fromRedis = 0;
  for (const { from, bytes } of said) {
    atUs += 1000;
    const chunk = block.subarray(0, bytes.copy(block));
    if (from === 'client') {
      conversation.clientBytes(chunk, atUs);
    } else {
      conversation.redisBytes(chunk, atUs, flushed);
      fromRedis += chunk.length;
      if (!flushed) conversation.flushed(fromRedis, atUs);
    }
    conversation.release();
    chunk.fill(0x58);
    if (saving !== undefined) {
      conversation = Conversation.restore(collected.sink, options, saving(conversation.save()));
    }
  }
  conversation.ended(atUs + 1000);
  return collected;
}

/** A reply on one line: `OK`, `-ERR`, `:1`, `"bulk"`, `[…]`, `>[…]`, `{…}`, `null`. */
export function show(reply: Reply): string {
  switch (reply.kind) {
    case 'simple':
      return reply.text;
    case 'error':
      return `-${reply.text.split(' ')[0]}`;
    case 'integer':
      return `:${reply.value}`;
    case 'bulk':
      return `"${reply.bytes.toString('latin1')}"`;
    case 'null':
      return 'null';
    case 'array':
      return `[${reply.items.map(show).join(' ')}]`;
    case 'set':
      return `~[${reply.items.map(show).join(' ')}]`;
    case 'push':
      return `>[${reply.items.map(show).join(' ')}]`;
    case 'map':
      return '{…}';
    default:
      return reply.kind;
  }
}

export function showBytes(bytes: Buffer | null): string {
  return bytes === null ? '' : decodeReplies(bytes).map(show).join(' ');
}

/** `PING PONG`; `t3` is the MULTI it stands under, `(none)` that Redis does not answer it, nothing that no reply came. */
export function lineOf(operation: Operation): string {
  const { command, transaction, replyKind, reply } = operation;
  const under = transaction === null ? '' : ` t${transaction}`;
  const answer = replyKind === 'none' ? ' (none)' : reply === null ? '' : ` ${showBytes(reply)}`;
  return `${command}${under}${answer}`;
}

/** All that is found, but for times and what depends on where the chunks end. */
export function summary(collected: Collected) {
  return {
    operations: collected.inOrder.map((each) => ({
      ...each,
      id: 0,
      requestedUs: 0,
      repliedUs: each.repliedUs === null ? null : 0,
      flushedUs: each.flushedUs === null ? null : 0,
      pipelined: false,
      request: each.request.toString('latin1'),
      reply: each.reply?.toString('latin1') ?? null,
      keys: each.keys.map((key) => key.toString('latin1')),
    })),
    pushes: collected.pushes.map(({ kind, channel, bytes, length, flushedUs }) => ({
      kind,
      channel: channel?.toString('latin1') ?? null,
      bytes: bytes.toString('latin1'),
      length,
      flushed: flushedUs !== null,
    })),
    holes: collected.holes.map(({ direction, offset, bytes, toUs, reason, detail }) => {
      return { direction, offset, bytes, open: toUs === null, reason, detail };
    }),
    facts: collected.facts,
  };
}

/** Joins what one side said in a row, as one chunk. */
export function joined(said: readonly Said[]): Said[] {
  const found: Said[] = [];
  for (const each of said) {
    const last = found.at(-1);
    if (last?.from === each.from)
      found[found.length - 1] = { ...last, bytes: Buffer.concat([last.bytes, each.bytes]) };
    else found.push(each);
  }
  return found;
}

export function bytesFromRedis(said: readonly Said[]): number {
  return said.reduce((sum, { from, bytes }) => sum + (from === 'redis' ? bytes.length : 0), 0);
}

/** Bytes of Redis that are in an operation, a push or a hole: each must be in one. */
export function bytesFound({ operations, pushes, holes }: Collected): number {
  const replies = operations.reduce((sum, each) => sum + each.replyLength, 0);
  const pushed = pushes.reduce((sum, each) => sum + each.length, 0);
  const given = holes.filter((each) => each.direction === 'redis' && each.reason !== 'cut');
  return given.reduce((sum, each) => sum + each.bytes, replies + pushed);
}
