/**
 * The first of many that fits, without looking at each: a trace has so many messages, polls and holes that nothing may be looked for by
 * going through all of them once for each of them.
 *
 * Each item has some numbers, and `fits` may only become true, never false, when one of these grows. So where the greatest numbers of a
 * whole run of items do not fit, none of the run does, and it is passed over at once. (So NaN is no such number.)
 */
export class FirstFitting<Item> {
  readonly #items: readonly Item[];
  /** Of a binary tree over the items, the greatest numbers under each node; the root is node 1, the items are the last row. */
  readonly #greatest: (readonly number[] | undefined)[];
  readonly #width: number;

  constructor(items: readonly Item[], numbersOf: (item: Item) => readonly number[]) {
    this.#items = items;
    this.#width = 2 ** Math.ceil(Math.log2(Math.max(1, items.length)));
    this.#greatest = new Array(2 * this.#width);
    for (const [at, item] of items.entries()) this.#greatest[this.#width + at] = numbersOf(item);
    for (let node = this.#width - 1; node > 0; node--)
      this.#greatest[node] = greater(this.#greatest[2 * node], this.#greatest[2 * node + 1]);
  }

  /** In the order of the items. */
  first(fits: (...numbers: readonly number[]) => boolean): Item | undefined {
    for (const item of this.all(fits)) return item;
    return undefined;
  }

  *all(fits: (...numbers: readonly number[]) => boolean): Generator<Item, undefined> {
    const open = [1];
    for (let node = open.pop(); node !== undefined; node = open.pop()) {
      const greatest = this.#greatest[node];
      if (!greatest || !fits(...greatest)) continue;
      if (node >= this.#width) yield this.#items[node - this.#width] as Item;
      else open.push(2 * node + 1, 2 * node);
    }
  }
}

function greater(
  one: readonly number[] | undefined,
  other: readonly number[] | undefined,
): readonly number[] | undefined {
  if (!one || !other) return one ?? other;
  return one.map((number, at) => Math.max(number, other[at] as number));
}
