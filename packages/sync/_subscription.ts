/** Values that come one after the other, as an iterator that can be left at any time. */

const OVER = { done: true, value: undefined } as const;

/** Calls of `next` are served in their order; `return` ends those that wait. */
export class Subscription<T> implements AsyncIterableIterator<T> {
  readonly #next: (signal: AbortSignal) => Promise<T>;
  readonly #closed: () => boolean;
  readonly #leaving = new AbortController();
  readonly #signal: AbortSignal;
  #last: Promise<unknown> = Promise.resolve();

  /** `closed` tells whether what `next` throws is the end. */
  constructor(
    next: (signal: AbortSignal) => Promise<T>,
    closed: () => boolean,
    signal: AbortSignal | undefined,
  ) {
    this.#next = next;
    this.#closed = closed;
    const leaving = this.#leaving.signal;
    this.#signal = signal === undefined ? leaving : AbortSignal.any([leaving, signal]);
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<T> {
    return this;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const result = this.#last.then(() => this.#take());
    this.#last = result.catch(() => {});
    return result;
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.#leaving.abort();
    return Promise.resolve(OVER);
  }

  async #take(): Promise<IteratorResult<T, undefined>> {
    const leaving = this.#leaving.signal;
    if (leaving.aborted || this.#closed()) return OVER;
    try {
      this.#signal.throwIfAborted();
      return { done: false, value: await this.#next(this.#signal) };
    } catch (error) {
      if (leaving.aborted || this.#closed()) return OVER;
      this.#leaving.abort();
      throw error;
    }
  }
}
