/** Waiting for a lock: nothing tells that one is free again, so it is tried, ever more seldom. */

const SHORTEST = 1;

/** When the next try of one who waits is due. */
export class Retry {
  readonly #longest: number;
  #pause = 0;

  /** With pauses of at most so many milliseconds. */
  constructor(longest = 25) {
    this.#longest = longest;
  }

  /** Calls `wake` after a pause, which grows from 1 ms on; returns what takes that back. */
  park(wake: () => void): () => void {
    this.#pause = this.next();
    const timer = setTimeout(wake, this.#pause);
    return () => clearTimeout(timer);
  }

  /** The pause that is due, in milliseconds. */
  next(): number {
    return Math.min(this.#pause === 0 ? SHORTEST : this.#pause * 2, this.#longest);
  }

  /** Blocks this thread for such a pause. */
  block(timeout: number | undefined): void {
    this.#pause = this.next();
    Atomics.wait(sleeping, 0, 0, Math.min(this.#pause, timeout ?? this.#longest));
  }

  /** It was free: the next wait begins with short pauses. */
  reset(): void {
    this.#pause = 0;
  }
}

const sleeping = new Int32Array(new SharedArrayBuffer(4));
