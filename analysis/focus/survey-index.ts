/**
 * What a survey found, to be asked: where a message is, who was a member of what, and what each queue is like on the whole. Derived from a trace,
 * and good for the state of the trace that it was made of; stored-index.ts keeps one beside a trace.
 */
import type { Trace } from '../../proxy/trace/trace.js';
import type { PayloadFields } from '../payload.js';
import { type QueueFacts, SURVEYED, Survey, type SurveySink, type SurveyState } from './survey.js';

export interface SurveyIndex {
  /** Operations that carry the message, ascending. */
  find(sender: string, count: number): readonly { readonly operation: number; readonly published: boolean }[];
  /** Every join and leave of these channels, and the first sight of each in each group; ascending. */
  membersOf(channels: Iterable<string>): number[];
  /** Channels that joined, left, or were first seen from one operation to before another. */
  channelsBetween(fromId: number, beforeId: number): string[];
  /** Operations without keys that may concern every queue. */
  everywhere(): number[];
  queue(name: string): QueueFacts | undefined;
}

/** An index in memory. Memory grows with the number of messages. */
export class SurveyedIndex implements SurveyIndex, SurveySink {
  readonly #messages = new Map<string, { operation: number; published: boolean }[]>();
  readonly #members = new Map<string, number[]>();
  readonly #everywhere: number[] = [];
  readonly #survey: Survey;

  /** Of the whole trace, or of what came after another survey: where that rests, and the last operation that it had. */
  constructor(
    trace: Pick<Trace, 'operations'>,
    fields: PayloadFields,
    after?: { readonly state: SurveyState | undefined; readonly afterId: number },
  ) {
    this.#survey = new Survey(fields, this, after?.state);
    for (const operation of trace.operations({ commands: SURVEYED, afterId: after?.afterId ?? 0 }))
      this.#survey.add(operation);
  }

  foundMessage(sender: string, count: number, operation: number, published: boolean): void {
    const key = JSON.stringify([sender, count]);
    const list = this.#messages.get(key) ?? [];
    if (list.at(-1)?.operation !== operation) list.push({ operation, published });
    this.#messages.set(key, list);
  }

  foundMember(channel: string, operation: number): void {
    const list = this.#members.get(channel) ?? [];
    list.push(operation);
    this.#members.set(channel, list);
  }

  find(sender: string, count: number) {
    return this.#messages.get(JSON.stringify([sender, count])) ?? [];
  }

  membersOf(channels: Iterable<string>): number[] {
    const ids = new Set([...channels].flatMap((channel) => this.#members.get(channel) ?? []));
    return [...ids].sort((a, b) => a - b);
  }

  channelsBetween(fromId: number, beforeId: number): string[] {
    return [...this.#members].flatMap(([channel, ids]) =>
      ids.some((id) => id >= fromId && id < beforeId) ? [channel] : [],
    );
  }

  queue(name: string): QueueFacts | undefined {
    return this.#survey.queue(name);
  }

  foundEverywhere(operation: number): void {
    this.#everywhere.push(operation);
  }

  everywhere(): number[] {
    return this.#everywhere;
  }
}
