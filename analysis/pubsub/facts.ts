/**
 * The facts of the pub/sub layer: what was published, who was subscribed on which connection from when to when, and which
 * pushes came. Built in one pass over the operations and one over the pushes; nothing is joined or judged here.
 */
import type { Trace, TraceOperation } from '../../proxy/trace/trace.js';
import { append } from '../append.js';
import { type Mark, markOf } from '../journey.js';
import { type Payload, type PayloadFields, readPublished, UNREADABLE } from '../payload.js';
import {
  heardOf,
  isConsumerChannel,
  PUBSUB_COMMANDS,
  type PubSubStep,
  pubSubStepOf,
  receiversOf,
} from '../profiles/pubsub.js';

/** One PUBLISH of the layer. */
export interface Publication {
  readonly mark: Mark;
  readonly channel: string;
  readonly member: Buffer;
  /** The bytes of the message as a number: equal ones have the same. */
  readonly content: number;
  readonly payload: Payload;
  /** How many Redis says it reached; null where it did not answer, or refused. */
  readonly receivers: number | null;
  readonly error: string | null;
}

/** A connection subscribed to a channel, from when it asked to when it asked to end it. */
export interface Subscription {
  readonly connection: number;
  readonly channel: string;
  /** Its reply is Redis' confirmation. */
  readonly asked: Mark;
  /** Every name of the layer that the same SUBSCRIBE asked for. */
  readonly together: readonly string[];
  /** The UNSUBSCRIBE; null where it lasted until the connection's end. */
  left: Mark | null;
}

/** A message that Redis sent to a subscriber, of content that somebody published through the proxy. */
export interface Heard {
  readonly connection: number;
  readonly content: number;
  readonly receivedUs: number;
  readonly flushedUs: number | null;
}

/** What one connection had to do with one channel. */
export interface Listener {
  readonly connection: number;
  readonly channel: string;
  /** In their order; they do not overlap. */
  readonly subscriptions: Subscription[];
  readonly heard: Heard[];
}

export interface PubSubFacts {
  /** Per channel, in the order of requests. */
  readonly publications: ReadonlyMap<string, readonly Publication[]>;
  readonly listeners: ReadonlyMap<string, readonly Listener[]>;
  /** CLIENT KILL, which closes others' connections. */
  readonly kills: readonly Mark[];
}

/** Reads a whole trace. Memory grows with the messages and pushes of the layer in it. */
export function readPubSub(trace: Pick<Trace, 'operations' | 'pushes'>, fields: PayloadFields): PubSubFacts {
  const builder = new FactsBuilder(fields);
  for (const operation of trace.operations({ commands: PUBSUB_COMMANDS })) {
    const step = pubSubStepOf(operation);
    if (step) builder.add(operation, step);
  }
  for (const push of trace.pushes(['message'])) {
    const heard = heardOf(push);
    if (heard) builder.heard(push, heard);
  }
  return builder.done();
}

/** Encrypted: a Fernet token, as text. What it says is not known; that it is the layer's, its channel says. */
const ENCRYPTED = /^gAAAAA[\w-]+=*$/;

class FactsBuilder {
  readonly #fields: PayloadFields;
  readonly #publications = new Map<string, Publication[]>();
  readonly #listeners = new Map<string, Map<number, Listener>>();
  /** Per connection, its subscriptions that last. */
  readonly #lasting = new Map<number, Map<string, Subscription>>();
  readonly #contents = new Map<string, number>();
  readonly #kills: Mark[] = [];

  constructor(fields: PayloadFields) {
    this.#fields = fields;
  }

  add(operation: TraceOperation, step: PubSubStep): void {
    switch (step.step) {
      case 'publish':
        this.#published(operation, step);
        return;
      case 'subscribe':
        if (operation.reply?.kind === 'error') return;
        for (const channel of new Set(step.channels)) this.#subscribed(operation, channel, step.channels);
        return;
      case 'unsubscribe':
        if (operation.reply?.kind === 'error') return;
        for (const channel of step.channels ?? [...this.#lastingOn(operation.connection).keys()])
          this.#left(operation, channel);
        return;
      case 'kill':
        this.#kills.push(markOf(operation, ''));
    }
  }

  #published(operation: TraceOperation, step: Extract<PubSubStep, { step: 'publish' }>): void {
    const { channel } = step;
    const payload = this.#payloadOf(step.payload, channel);
    if (payload === null) return;
    const { reply } = operation;
    append(this.#publications, channel, {
      ...{ channel, payload },
      mark: markOf(operation, channel),
      member: Buffer.from(step.payload),
      content: this.#contentOf(step.payload),
      receivers: receiversOf(reply),
      error: reply?.kind === 'error' ? reply.text : null,
    });
  }

  /** Null where it is no message of the layer. The channel of a `send` is the one it is for. */
  #payloadOf(bytes: Buffer, channel: string): Payload | null {
    const payload =
      readPublished(bytes, this.#fields) ?? (ENCRYPTED.test(bytes.toString('latin1')) ? UNREADABLE : null);
    return payload && isConsumerChannel(channel) ? { ...payload, recipients: [channel] } : payload;
  }

  #contentOf(bytes: Buffer): number {
    const text = bytes.toString('latin1');
    const known = this.#contents.get(text);
    if (known !== undefined) return known;
    this.#contents.set(text, this.#contents.size);
    return this.#contents.size - 1;
  }

  #subscribed(operation: TraceOperation, channel: string, together: readonly string[]): void {
    const { connection } = operation;
    const lasting = this.#lastingOn(connection);
    if (lasting.has(channel)) return; // subscribed already
    const asked = markOf(operation, channel);
    const subscription: Subscription = { connection, channel, asked, together, left: null };
    lasting.set(channel, subscription);
    this.#listener(connection, channel).subscriptions.push(subscription);
  }

  #left(operation: TraceOperation, channel: string): void {
    const lasting = this.#lastingOn(operation.connection);
    const subscription = lasting.get(channel);
    if (!subscription) return;
    subscription.left = markOf(operation, channel);
    lasting.delete(channel);
  }

  #lastingOn(connection: number): Map<string, Subscription> {
    const lasting = this.#lasting.get(connection) ?? new Map<string, Subscription>();
    this.#lasting.set(connection, lasting);
    return lasting;
  }

  #listener(connection: number, channel: string): Listener {
    const ofChannel = this.#listeners.get(channel) ?? new Map<number, Listener>();
    this.#listeners.set(channel, ofChannel);
    const listener = ofChannel.get(connection) ?? { connection, channel, subscriptions: [], heard: [] };
    ofChannel.set(connection, listener);
    return listener;
  }

  heard(
    push: Pick<Heard, 'connection' | 'receivedUs' | 'flushedUs'>,
    { channel, payload }: { readonly channel: string; readonly payload: Buffer },
  ): void {
    const { connection, receivedUs, flushedUs } = push;
    const content = this.#contents.get(payload.toString('latin1'));
    if (content === undefined) return; // published past the proxy, or not the layer's
    const listener = this.#listeners.get(channel)?.get(connection);
    listener?.heard.push({ connection, content, receivedUs, flushedUs });
  }

  done(): PubSubFacts {
    return {
      publications: this.#publications,
      listeners: new Map(
        [...this.#listeners].map(([channel, ofChannel]) => [channel, [...ofChannel.values()]]),
      ),
      kills: this.#kills,
    };
  }
}
