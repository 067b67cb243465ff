/** What waits in order; what was taken is let go at once, however many follow. */
export class Queue<T> {
  #items: (T | undefined)[] = [];
  #next = 0;

  get length(): number {
    return this.#items.length - this.#next;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Takes the first. */
  shift(): T | undefined {
    const item = this.#items[this.#next];
    if (this.length === 0) return undefined;
    this.#items[this.#next++] = undefined;
    // Places are given back in pieces that cost less than what they held.
    if (this.#next * 2 >= this.#items.length && this.#next >= 64) {
      this.#items.splice(0, this.#next);
      this.#next = 0;
    }
    return item;
  }

  /** Takes all. */
  clear(): T[] {
    const items = this.#items.slice(this.#next) as T[];
    this.#items = [];
    this.#next = 0;
    return items;
  }
}
