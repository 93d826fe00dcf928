/**
 * Rows on their way from one thread to another. Operations, of which there are millions, go as numbers in one array and bytes in one block, which
 * are handed over and not copied; all else is serialized, each call with its place among the operations.
 */
import { deserialize, serialize } from 'node:v8';
import type { ClosedBody, OpenedBody } from '../tape.js';
import type { ClientFacts, Hole, Operation, Push } from '../wire/operation.js';
import type { ReplyKind } from '../wire/reply.js';
import type { Rows, SavedState } from './rows.js';
import { REMEMBERED_KEYS, type TraceWriter } from './writer.js';

export interface Parcel {
  /** Of each operation ID_TO_KEYS numbers, the last of which says how many numbers of keys follow. */
  readonly numbers: Float64Array;
  /** Requests and replies, one after the other. */
  readonly bytes: Uint8Array;
  /** Calls, serialized; null where there is none. */
  readonly calls: Uint8Array | null;
  /** Words and keys that the numbers of this parcel are the first to mention, in the order of their numbers. */
  readonly words: readonly string[];
  readonly keys: readonly string[];
  /** Keys are numbered anew, from 0. */
  readonly keysAnew: boolean;
}

/** What is called by its name: everything that changes the trace beside `operation`. */
type Called = Omit<Rows, 'operation' | 'hasConnection' | 'lastPush' | 'states' | 'flush'>;

type Call = {
  readonly [Method in keyof Called]: readonly [
    operationsBefore: number,
    method: Method,
    args: Parameters<Called[Method]>,
  ];
}[keyof Called];

/** Numbers of an operation before those of its keys. */
const ID_TO_KEYS = 16;
/** No number of an operation is below zero. */
const NONE = -1;
const NOTHING = Buffer.alloc(0);

const FIRST_NUMBERS = 1 << 14;
const FIRST_BYTES = 1 << 18;

/** What a trace holds that indexing asks for as it begins. */
export interface Begun {
  readonly states: readonly SavedState[];
  readonly lastPush: number;
  readonly connections: readonly number[];
}

export class ParcelWriter implements Rows {
  readonly #begun: Begun;
  readonly #connections: Set<number>;
  readonly #rememberedKeys: number;
  readonly #words = new Map<string, number>();
  readonly #keys = new Map<string, number>();
  #newWords: string[] = [];
  #newKeys: string[] = [];
  #keysAnew = false;
  #calls: Call[] = [];
  #numbers = new Float64Array(FIRST_NUMBERS);
  #used = 0;
  #bytes = Buffer.alloc(FIRST_BYTES);
  #usedBytes = 0;
  #operations = 0;

  /** `rememberedKeys`: for tests. */
  constructor(begun: Begun, rememberedKeys = REMEMBERED_KEYS) {
    this.#begun = begun;
    this.#rememberedKeys = rememberedKeys;
    this.#connections = new Set(begun.connections);
  }

  /** What was written since the last one. */
  parcel(): Parcel {
    const parcel = {
      numbers: this.#numbers.slice(0, this.#used),
      bytes: new Uint8Array(this.#bytes.subarray(0, this.#usedBytes)),
      calls: this.#calls.length > 0 ? new Uint8Array(serialize(this.#calls)) : null,
      words: this.#newWords,
      keys: this.#newKeys,
      keysAnew: this.#keysAnew,
    };
    this.#newWords = [];
    this.#newKeys = [];
    this.#calls = [];
    this.#used = 0;
    this.#usedBytes = 0;
    this.#operations = 0;
    this.#keysAnew = this.#keys.size >= this.#rememberedKeys;
    if (this.#keysAnew) this.#keys.clear();
    return parcel;
  }

  operation(connection: number, operation: Operation, transaction: number | null): void {
    const { request, reply, keys } = operation;
    this.#makeRoom(ID_TO_KEYS + keys.length, request.length + (reply?.length ?? 0));
    const numbers = this.#numbers;
    let at = this.#used;
    numbers[at++] = operation.id;
    numbers[at++] = connection;
    numbers[at++] = operation.sequence;
    numbers[at++] = this.#word(operation.command);
    numbers[at++] = operation.requestedUs;
    numbers[at++] = operation.repliedUs ?? NONE;
    numbers[at++] = operation.flushedUs ?? NONE;
    numbers[at++] = operation.owed;
    numbers[at++] = operation.pipelined ? 1 : 0;
    numbers[at++] = transaction ?? NONE;
    numbers[at++] = operation.replyKind === null ? NONE : this.#word(operation.replyKind);
    numbers[at++] = request.length;
    numbers[at++] = operation.requestLength;
    numbers[at++] = reply?.length ?? NONE;
    numbers[at++] = operation.replyLength;
    numbers[at++] = keys.length;
    for (let n = 0; n < keys.length; n++) numbers[at++] = this.#key(keys[n] as Buffer);
    this.#used = at;
    this.#put(request);
    if (reply !== null) this.#put(reply);
    this.#operations += 1;
  }

  meta(key: string, value: string): void {
    this.#call('meta', [key, value]);
  }

  redisSample(atUs: number, values: Readonly<Record<string, string>>): void {
    this.#call('redisSample', [atUs, values]);
  }

  connection(id: number, openedUs: number, body: OpenedBody): void {
    this.#connections.add(id);
    this.#call('connection', [id, openedUs, body]);
  }

  hasConnection(id: number): boolean {
    return this.#connections.has(id);
  }

  connectionClosed(id: number, atUs: number, body: ClosedBody): void {
    this.#call('connectionClosed', [id, atUs, body]);
  }

  connectionEnded(id: number, atUs: number): void {
    this.#call('connectionEnded', [id, atUs]);
  }

  connectionBytes(id: number, fromClient: number, fromRedis: number): void {
    this.#call('connectionBytes', [id, fromClient, fromRedis]);
  }

  connectionFacts(id: number, facts: ClientFacts): void {
    this.#call('connectionFacts', [id, { ...facts }]);
  }

  operationReply(operation: Operation): void {
    this.#call('operationReply', [{ ...operation, request: NOTHING, keys: [] }]);
  }

  lastPush(): number {
    return this.#begun.lastPush;
  }

  push(id: number, connection: number, push: Push): void {
    this.#call('push', [id, connection, { ...push }]);
  }

  pushFlushed(id: number, push: Push): void {
    this.#call('pushFlushed', [id, { ...push, bytes: NOTHING }]);
  }

  hole(connection: number | null, hole: Hole): void {
    this.#call('hole', [connection, { ...hole }]);
  }

  saveState(connection: number, state: Buffer): void {
    this.#call('saveState', [connection, state]);
  }

  dropState(connection: number): void {
    this.#call('dropState', [connection]);
  }

  states(): readonly SavedState[] {
    return this.#begun.states;
  }

  /** Nothing waits here. */
  flush(): void {}

  #call<Method extends keyof Called>(method: Method, args: Parameters<Called[Method]>): void {
    this.#calls.push([this.#operations, method, args] as unknown as Call);
  }

  #word(word: string): number {
    let number = this.#words.get(word);
    if (number === undefined) {
      number = this.#words.size;
      this.#words.set(word, number);
      this.#newWords.push(word);
    }
    return number;
  }

  #key(bytes: Buffer): number {
    const key = bytes.toString('latin1');
    let number = this.#keys.get(key);
    if (number === undefined) {
      number = this.#keys.size;
      this.#keys.set(key, number);
      this.#newKeys.push(key);
    }
    return number;
  }

  #put(bytes: Buffer): void {
    this.#bytes.set(bytes, this.#usedBytes);
    this.#usedBytes += bytes.length;
  }

  #makeRoom(numbers: number, bytes: number): void {
    if (this.#used + numbers > this.#numbers.length) {
      const larger = new Float64Array(2 * this.#numbers.length + numbers);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    if (this.#usedBytes + bytes > this.#bytes.length) {
      const larger = Buffer.alloc(2 * this.#bytes.length + bytes);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
  }
}

/** Puts parcels into the trace, in the order in which they were made. */
export class ParcelReader {
  readonly #writer: TraceWriter;
  readonly #words: string[] = [];
  readonly #commands: number[] = [];
  readonly #keys: number[] = [];

  constructor(writer: TraceWriter) {
    this.#writer = writer;
  }

  unpack({ numbers, bytes, calls, words, keys, keysAnew }: Parcel): void {
    this.#words.push(...words);
    if (keysAnew) this.#keys.length = 0;
    for (const key of keys) this.#keys.push(this.#writer.keyId(Buffer.from(key, 'latin1')));
    const called = calls === null ? [] : (deserialize(calls) as Call[]);
    const block = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    let next = 0;
    let operations = 0;
    let atByte = 0;
    for (let at = 0; at < numbers.length; ) {
      for (let call = called[next]; call && call[0] <= operations; call = called[++next]) this.#call(call);
      const request = numbers[at + 11] as number;
      const reply = numbers[at + 13] as number;
      const requestEnd = atByte + request;
      const replyEnd = reply === NONE ? requestEnd : requestEnd + reply;
      this.#operation(
        numbers,
        at,
        block.subarray(atByte, requestEnd),
        reply === NONE ? null : block.subarray(requestEnd, replyEnd),
      );
      atByte = replyEnd;
      at += ID_TO_KEYS + (numbers[at + ID_TO_KEYS - 1] as number);
      operations += 1;
    }
    for (const call of called.slice(next)) this.#call(call);
  }

  #operation(numbers: Float64Array, at: number, request: Buffer, reply: Buffer | null): void {
    const writer = this.#writer;
    const id = numbers[at] as number;
    const replyKind = orNull(numbers[at + 10] as number);
    writer.operationRow(
      id,
      numbers[at + 1] as number,
      numbers[at + 2] as number,
      this.#command(numbers[at + 3] as number),
      numbers[at + 4] as number,
      orNull(numbers[at + 5] as number),
      orNull(numbers[at + 6] as number),
      numbers[at + 7] as number,
      numbers[at + 8] as number,
      orNull(numbers[at + 9] as number),
      replyKind === null ? null : (this.#words[replyKind] as ReplyKind),
      request,
      numbers[at + 12] as number,
      reply,
      numbers[at + 14] as number,
    );
    const keys = numbers[at + 15] as number;
    for (let n = 0; n < keys; n++)
      writer.operationKey(this.#keys[numbers[at + ID_TO_KEYS + n] as number] as number, id);
  }

  #command(word: number): number {
    let id = this.#commands[word];
    if (id === undefined) {
      id = this.#writer.commandId(this.#words[word] as string);
      this.#commands[word] = id;
    }
    return id;
  }

  #call([, method, args]: Call): void {
    const call: (...args: never) => void = this.#writer[method];
    Reflect.apply(call, this.#writer, args);
  }
}

function orNull(number: number): number | null {
  return number === NONE ? null : number;
}
