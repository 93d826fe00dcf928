/**
 * How many counts the senders of a trace left out within a span: between two of their messages, both of which do not lie before it or after it. Worked
 * out once, and not by going through all senders for each message that is asked about.
 */
import type { JudgedJourney } from './judge.js';
import { countWhile } from './moment.js';
import type { MessageIndex } from './question.js';

/** Between two messages of a sender. */
interface LeftOut {
  readonly missing: number;
  /** When the message before them was sent, and the one after them. */
  readonly fromUs: number;
  readonly toUs: number;
}

/** Sums of what was left out, up to each of some moments in order. */
class Sums {
  readonly #atUs: readonly number[];
  readonly #sums: readonly number[];

  constructor(all: readonly LeftOut[], atUs: (one: LeftOut) => number) {
    const sorted = all.toSorted((a, b) => atUs(a) - atUs(b));
    let sum = 0;
    this.#atUs = sorted.map(atUs);
    this.#sums = sorted.map(({ missing }) => {
      sum += missing;
      return sum;
    });
  }

  upTo(us: number): number {
    return this.#sums[countWhile(this.#atUs, (atUs) => atUs <= us) - 1] ?? 0;
  }

  before(us: number): number {
    return this.#sums[countWhile(this.#atUs, (atUs) => atUs < us) - 1] ?? 0;
  }
}

class LeftOutCounts {
  readonly #all: readonly LeftOut[];
  readonly #begun: Sums;
  readonly #over: Sums;
  /** The later count was sent first: few, if any. */
  readonly #reversed: readonly LeftOut[];

  constructor(all: readonly LeftOut[]) {
    this.#all = all;
    const inOrder = all.filter(({ fromUs, toUs }) => fromUs <= toUs);
    this.#begun = new Sums(inOrder, ({ fromUs }) => fromUs);
    this.#over = new Sums(inOrder, ({ toUs }) => toUs);
    this.#reversed = all.filter(({ fromUs, toUs }) => fromUs > toUs);
  }

  within(fromUs: number, toUs: number): number {
    const inOrder = fromUs <= toUs;
    let missing = inOrder ? this.#begun.upTo(toUs) - this.#over.before(fromUs) : 0;
    for (const one of inOrder ? this.#reversed : this.#all)
      if (one.toUs >= fromUs && one.fromUs <= toUs) missing += one.missing;
    return missing;
  }
}

const KNOWN = new WeakMap<MessageIndex<JudgedJourney>, LeftOutCounts>();

export function leftOutWithin(
  { fromUs, toUs }: { readonly fromUs: number; readonly toUs: number },
  index: MessageIndex<JudgedJourney>,
): number {
  let known = KNOWN.get(index);
  if (!known) {
    known = new LeftOutCounts(index.senders().flatMap((sender) => leftOutBy(sender, index)));
    KNOWN.set(index, known);
  }
  return known.within(fromUs, toUs);
}

function leftOutBy(sender: string, index: MessageIndex<JudgedJourney>): LeftOut[] {
  const counts = index.counts(sender);
  const atUs = (count: number): number => index.find(sender, count)[0]?.journey.enqueues[0]?.requestedUs ?? 0;
  return counts.slice(1).flatMap((count, i) => {
    const previous = counts[i] as number;
    const missing = count - previous - 1;
    return missing === 0 ? [] : [{ missing, fromUs: atUs(previous), toUs: atUs(count) }];
  });
}
