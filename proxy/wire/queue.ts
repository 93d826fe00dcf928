/** First in, first out, without moving what remains. */
export class Queue<T> {
  private items: (T | undefined)[] = [];
  private head = 0;

  get size(): number {
    return this.items.length - this.head;
  }

  push(item: T): void {
    this.items.push(item);
  }

  first(): T | undefined {
    return this.items[this.head];
  }

  last(): T | undefined {
    return this.size === 0 ? undefined : this.items[this.items.length - 1];
  }

  shift(): T | undefined {
    if (this.size === 0) return undefined;
    if (this.size === 1) {
      const last = this.items.pop();
      // Where each request waits for its reply nothing is before it, and the array keeps its room.
      if (this.head > 0) this.items = [];
      this.head = 0;
      return last;
    }
    const item = this.items[this.head];
    this.items[this.head] = undefined;
    this.head += 1;
    if (this.head >= 1024 && this.head * 2 >= this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return item;
  }

  toArray(): T[] {
    return this.items.slice(this.head) as T[];
  }
}
