/**
 * A trace written as a script, for tests of what real recordings cannot be made to show at will: every line is an
 * operation of the channel layer at a time in milliseconds. Not a mock of Redis: it holds what a trace would hold.
 */
import type {
  OperationFilter,
  PushKind,
  Reply,
  Trace,
  TraceConnection,
  TraceHole,
  TraceOperation,
  TracePush,
  TraceSample,
  TraceUse,
} from '../../proxy/trace/trace.js';
import { encodeMember } from '../../server/layers/message.js';

export const PROCESS = 'specific.0123456789abcdef0123456789abcdef!';
export const QUEUE = `chat${PROCESS}`;
export const GROUP = 'chat:group:room_a';

/** A message of the chat protocol: 12 bytes of its own, then msgpack. */
export function memberOf(
  sender: string,
  count: number,
  recipients: readonly string[] = [`${PROCESS}a`],
): Buffer {
  const random = Buffer.alloc(12, `${sender}${count}`);
  const text = JSON.stringify({ my_id: sender, count });
  return Buffer.from(
    encodeMember({ type: 'chat_send', text_data: text, __asgi_channel__: [...recipients] }, random),
  );
}

export const nil: Reply = { kind: 'null', form: 'bulk' };
export const integer = (value: number): Reply => ({ kind: 'integer', value: BigInt(value) });
export const bulk = (bytes: Buffer | string): Reply => ({ kind: 'bulk', bytes: Buffer.from(bytes) });
export const array = (...items: Reply[]): Reply => ({ kind: 'array', items });

interface Timing {
  readonly tookMs?: number;
  /** When the reply was handed to the client, after it was read. Null: never. */
  readonly flushMs?: number | null;
  readonly pipelined?: boolean;
  readonly noReply?: boolean;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class ScriptedTrace implements Trace {
  readonly meta = new Map<string, string>();
  startedUnixUs = 1_700_000_000_000_000;
  watermarkUs = 60_000_000;
  readonly live = false;
  readonly endMarker = true;
  readonly #queue: string;
  readonly #operations: TraceOperation[];
  readonly #connections: Map<number, Mutable<TraceConnection>>;
  readonly #holes: TraceHole[] = [];
  readonly #samples: TraceSample[] = [];

  readonly path: string;

  /** `of`: the script that this one writes to, of another queue; or its path. */
  constructor(of?: ScriptedTrace | string, queue = QUEUE) {
    this.#queue = queue;
    const shared = of instanceof ScriptedTrace ? of : null;
    this.path = typeof of === 'string' ? of : 'scripted.db';
    this.#operations = shared ? shared.#operations : [];
    this.#connections = shared ? shared.#connections : new Map();
  }

  /** The same script, of another queue: for lines such as `trace.on(OTHER).receive(…)`. */
  on(queue: string): ScriptedTrace {
    return new ScriptedTrace(this, queue);
  }
  readonly #pushes: TracePush[] = [];

  /** Any operation. Returns its id. */
  request(
    atMs: number,
    connection: number,
    args: readonly (string | Buffer)[],
    reply: Reply | null,
    timing: Timing = {},
  ): number {
    const { tookMs = 1, flushMs = 0, pipelined = false, noReply = false } = timing;
    this.#open(connection);
    const requestedUs = atMs * 1000;
    const repliedUs = noReply ? null : requestedUs + tookMs * 1000;
    const words = args.map((word) => Buffer.from(word));
    this.#operations.push({
      id: 0,
      connection,
      sequence: 0,
      command: (words[0]?.toString() ?? '').toUpperCase(),
      requestedUs,
      repliedUs,
      flushedUs: repliedUs === null || flushMs === null ? null : repliedUs + flushMs * 1000,
      owed: 0,
      pipelined,
      transaction: null,
      replyKind: noReply ? null : (reply?.kind ?? null),
      requestLength: 1,
      replyLength: 1,
      requestCut: false,
      replyCut: false,
      args: words,
      reply: noReply ? null : reply,
    });
    return this.#operations.length;
  }

  /** Commands in a MULTI, each with its item of EXEC's reply, all in one chunk; `abort`: EXEC's reply instead, and an error is its command's own. */
  transaction(
    atMs: number,
    connection: number,
    commands: readonly (readonly [args: readonly (string | Buffer)[], reply: Reply])[],
    { abort, ...timing }: Timing & { readonly abort?: Reply } = {},
  ): void {
    const transaction = this.#operations.length + 1;
    const queued: Reply = { kind: 'simple', text: 'QUEUED' };
    this.request(atMs, connection, ['MULTI'], { kind: 'simple', text: 'OK' }, timing);
    for (const [args, reply] of commands)
      this.request(atMs, connection, args, reply.kind === 'error' ? reply : queued, {
        ...timing,
        pipelined: true,
      });
    const items = commands.map(([, reply]) => reply);
    this.request(atMs, connection, ['EXEC'], abort ?? array(...items), { ...timing, pipelined: true });
    for (const operation of this.#operations.slice(transaction - 1))
      Object.assign(operation, { transaction });
  }

  groupSend(
    atMs: number,
    connection: number,
    member: Buffer,
    { full = 0, queue = this.#queue, ...timing }: Timing & { full?: number; queue?: string } = {},
  ) {
    const args = ['EVAL', 'script', '1', queue, member, '1000', String(atMs / 1000), '60'];
    return this.request(atMs, connection, args, integer(full), timing);
  }

  poll(atMs: number, connection: number, member: Buffer | null, timing: Timing = {}) {
    const reply = member ? array(bulk(this.#queue), bulk(member), bulk('1.5')) : nil;
    return this.request(atMs, connection, ['BZPOPMIN', this.#queue, '5'], reply, timing);
  }

  restore(atMs: number, connection: number, timing: Timing = {}) {
    return this.request(
      atMs,
      connection,
      ['EVAL', 'cleanup', '0', this.#queue, `${this.#queue}$inflight`],
      nil,
      timing,
    );
  }

  backup(atMs: number, connection: number, member: Buffer, timing: Timing = {}) {
    return this.request(
      atMs,
      connection,
      ['ZADD', `${this.#queue}$inflight`, '1.50', member],
      integer(1),
      timing,
    );
  }

  acknowledge(atMs: number, connection: number, member: Buffer, timing: Timing = {}) {
    return this.request(
      atMs,
      connection,
      ['ZPOPMIN', `${this.#queue}$inflight`],
      array(bulk(member), bulk('1.5')),
      timing,
    );
  }

  /** What waits, popped and backed up by one script: gaptrace's reliable receive. */
  take(atMs: number, connection: number, members: readonly Buffer[], timing: Timing = {}) {
    const args = ['EVAL', 'take', '2', this.#queue, `${this.#queue}$inflight`, '100'];
    const reply = array(...members.flatMap((member) => [bulk(member), bulk('1.5')]));
    return this.request(atMs, connection, args, reply, timing);
  }

  /** A whole receive step in good health, 10 ms long: restore, poll, backup, acknowledge. */
  receive(atMs: number, connection: number, member: Buffer): void {
    this.restore(atMs, connection);
    this.poll(atMs + 2, connection, member);
    this.backup(atMs + 5, connection, member);
    this.acknowledge(atMs + 8, connection, member);
  }

  join(atMs: number, connection: number, channel: string, group = GROUP) {
    return this.request(atMs, connection, ['ZADD', group, '1', channel], integer(1));
  }

  leave(atMs: number, connection: number, channel: string, group = GROUP) {
    return this.request(atMs, connection, ['ZREM', group, channel], integer(1));
  }

  /** ZRANGE of a group: whom a group_send is for. */
  rollCall(atMs: number, connection: number, channels: readonly string[], group = GROUP) {
    return this.request(atMs, connection, ['ZRANGE', group, '0', '-1'], array(...channels.map(bulk)));
  }

  /** What Redis sends unasked. Returns its id. `flushMs`: when it was handed to the client, after it was read. Null: never. */
  push(
    atMs: number,
    connection: number,
    frame: Reply & { kind: 'array' | 'push' },
    flushMs: number | null = 0,
  ) {
    this.#open(connection);
    const [word, channel] = frame.items.map((item) => (item.kind === 'bulk' ? item.bytes : Buffer.alloc(0)));
    const receivedUs = atMs * 1000;
    return this.#pushes.push({
      id: this.#pushes.length + 1,
      ...{ connection, frame, receivedUs, length: 1 },
      kind: String(word) as PushKind,
      channel: channel ?? null,
      flushedUs: flushMs === null ? null : receivedUs + flushMs * 1000,
    });
  }

  /** Without it a connection is there from the start. */
  connect(atMs: number, connection: number): void {
    Object.assign(this.#open(connection), { openedUs: atMs * 1000 });
  }

  disconnect(
    atMs: number,
    connection: number,
    by: 'client' | 'redis' | 'proxy' = 'client',
    how: 'fin' | 'reset' | 'error' = 'fin',
  ): void {
    Object.assign(this.#open(connection), {
      closedUs: atMs * 1000,
      closedBy: by,
      closedHow: how,
      endedUs: atMs * 1000,
    });
  }

  says(connection: number, libraryName: string, libraryVersion: string): void {
    Object.assign(this.#open(connection), { libraryName, libraryVersion });
  }

  hole(fromMs: number, toMs: number | null, of: Partial<TraceHole> = {}): void {
    this.#holes.push({
      id: this.#holes.length + 1,
      connection: null,
      direction: null,
      byteOffset: null,
      bytes: 100,
      reason: 'dropped',
      detail: '',
      fromUs: fromMs * 1000,
      toUs: toMs === null ? null : toMs * 1000,
      ...of,
    });
  }

  /** What Redis said of itself at a moment. */
  sample(atMs: number, fields: Readonly<Record<string, string>>): void {
    for (const [field, value] of Object.entries(fields))
      this.#samples.push({ atUs: atMs * 1000, field, value });
  }

  #open(id: number): Mutable<TraceConnection> {
    let connection = this.#connections.get(id);
    if (!connection) {
      connection = {
        id,
        openedUs: 0,
        closedUs: null,
        closedBy: null,
        closedHow: null,
        closedDetail: null,
        endedUs: null,
        clientAddress: '127.0.0.1:1',
        upstreamAddress: '127.0.0.1:6379',
        respVersion: 2,
        clientName: null,
        libraryName: null,
        libraryVersion: null,
        bytesFromClient: 0,
        bytesFromRedis: 0,
        unflushedToClient: null,
        unflushedToRedis: null,
      };
      this.#connections.set(id, connection);
    }
    return connection;
  }

  /** Numbered in the order of requests, as a recorder does. */
  *operations(filter: OperationFilter = {}): IterableIterator<TraceOperation> {
    for (const operation of this.#numbered()) {
      if (filter.commands && !filter.commands.includes(operation.command)) continue;
      if (filter.connection !== undefined && operation.connection !== filter.connection) continue;
      if (filter.connections && !filter.connections.includes(operation.connection)) continue;
      if (filter.afterId !== undefined && operation.id <= filter.afterId) continue;
      if (filter.untilId !== undefined && operation.id > filter.untilId) continue;
      if (filter.ids && !filter.ids.includes(operation.id)) continue;
      if (filter.sinceUs !== undefined && operation.requestedUs < filter.sinceUs) continue;
      if (filter.untilUs !== undefined && operation.requestedUs >= filter.untilUs) continue;
      yield operation;
    }
  }

  #numbered(): TraceOperation[] {
    const sequences = new Map<number, number>();
    return [...this.#operations]
      .sort((a, b) => a.requestedUs - b.requestedUs)
      .map((operation, index) => {
        const sequence = (sequences.get(operation.connection) ?? 0) + 1;
        sequences.set(operation.connection, sequence);
        return { ...operation, id: index + 1, sequence };
      });
  }

  uses(): IterableIterator<TraceUse> {
    return this.operations();
  }

  operation(id: number): TraceOperation | undefined {
    return this.#numbered()[id - 1];
  }

  operationCount(afterId = 0, untilId = Number.MAX_SAFE_INTEGER): number {
    return Math.max(0, Math.min(untilId, this.#operations.length) - afterId);
  }

  *operationIds(keys: readonly string[], fromId: number, beforeId: number): IterableIterator<number> {
    for (const { id, args } of this.#numbered())
      if (id >= fromId && id < beforeId && args.some((word, at) => at > 0 && keys.includes(String(word))))
        yield id;
  }

  idAt(us: number): number {
    const operations = this.#numbered();
    return operations.find(({ requestedUs }) => requestedUs >= us)?.id ?? operations.length + 1;
  }

  *pushes(kinds?: readonly PushKind[]): IterableIterator<TracePush> {
    for (const push of this.#pushes) if (kinds?.includes(push.kind) ?? true) yield push;
  }

  connections(): IterableIterator<TraceConnection> {
    return this.#connections.values();
  }

  connection(id: number): TraceConnection | undefined {
    return this.#connections.get(id);
  }

  holes(): IterableIterator<TraceHole> {
    return this.#holes.values();
  }

  samples(): IterableIterator<TraceSample> {
    return this.#samples.values();
  }

  snapshot<T>(read: () => T): T {
    return read();
  }

  sql(): never {
    throw new Error('a script has no SQL');
  }

  close(): void {}
}
