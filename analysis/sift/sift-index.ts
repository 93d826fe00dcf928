/** What a sift has found, as an index of where to look (focus/survey-index.ts); of messages it has none. */
import type { QueueFacts } from '../focus/survey.js';
import type { SurveyIndex } from '../focus/survey-index.js';
import { countWhile } from '../moment.js';
import type { Sift } from './sift.js';

export class SiftIndex implements SurveyIndex {
  readonly #sift: Sift;
  /** Every join, leave and first sight, ascending. */
  readonly #changes: readonly (readonly [operation: number, channel: string])[];

  constructor(sift: Sift) {
    this.#sift = sift;
    const changes = [...sift.members].flatMap(([channel, ids]) => ids.map((id) => [id, channel] as const));
    this.#changes = changes.sort(([a], [b]) => a - b);
  }

  find(): never[] {
    return [];
  }

  membersOf(channels: Iterable<string>): number[] {
    const ids = new Set([...channels].flatMap((channel) => this.#sift.members.get(channel) ?? []));
    return [...ids].sort((a, b) => a - b);
  }

  channelsBetween(fromId: number, beforeId: number): string[] {
    const from = countWhile(this.#changes, ([id]) => id < fromId);
    const to = countWhile(this.#changes, ([id]) => id < beforeId);
    return [...new Set(this.#changes.slice(from, to).map(([, channel]) => channel))];
  }

  everywhere(): number[] {
    return this.#sift.everywhere;
  }

  queue(name: string): QueueFacts | undefined {
    return this.#sift.queues.get(name)?.facts;
  }
}
