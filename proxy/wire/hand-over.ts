/** Replies and messages that were read from Redis and wait to be handed to the client's kernel, in the order of the stream. */
import type { Operation, Push } from './operation.js';
import { Queue } from './queue.js';

/** `end`: offset in Redis' stream of the byte after it. */
export type Unflushed =
  | { readonly end: number; readonly operation: Operation }
  | { readonly end: number; readonly push: Push };

export interface HandOverSink {
  operation(operation: Operation): void;
  push(push: Push): void;
}

export class HandOver {
  private readonly sink: HandOverSink;
  private readonly waiting = new Queue<Unflushed>();
  /** While a chunk is read that went straight to the client's kernel: when that was. Else null. */
  private atOnceUs: number | null = null;

  constructor(sink: HandOverSink, saved: readonly Unflushed[] = []) {
    this.sink = sink;
    for (const item of saved) this.waiting.push(item);
  }

  /** What is added from now on was handed over at that time already; null: it waits. */
  atOnce(atUs: number | null): void {
    this.atOnceUs = atUs;
  }

  add(item: Unflushed): void {
    if (this.atOnceUs === null) this.waiting.push(item);
    else this.settle(item, this.atOnceUs);
  }

  /** All up to this offset has been handed over by `atUs`. */
  upTo(offset: number, atUs: number): void {
    for (let first = this.waiting.first(); first !== undefined && first.end <= offset; ) {
      this.waiting.shift();
      this.settle(first, atUs);
      first = this.waiting.first();
    }
  }

  /** Nothing more will be handed over. */
  end(): void {
    for (const item of this.waiting.toArray()) this.settle(item, null);
  }

  private settle(item: Unflushed, atUs: number | null): void {
    if ('push' in item) {
      item.push.flushedUs = atUs;
      this.sink.push(item.push);
    } else {
      item.operation.flushedUs = atUs;
      this.sink.operation(item.operation);
    }
  }

  operations(): Operation[] {
    return this.waiting.toArray().flatMap((item) => ('operation' in item ? [item.operation] : []));
  }

  pushes(): Push[] {
    return this.waiting.toArray().flatMap((item) => ('push' in item ? [item.push] : []));
  }

  save(): readonly Unflushed[] {
    return this.waiting.toArray();
  }
}
