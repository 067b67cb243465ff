/** Waiting for a lock: nothing tells that one is free again, so it is tried, ever more seldom. */

/** Milliseconds between tries, unless told. */
const USUAL = { shortest: 1, longest: 25 } as const;

/** When the next try of one who waits is due. */
export class Retry {
  readonly #shortest: number;
  readonly #longest: number;
  #pause = 0;

  constructor({ shortest, longest }: { shortest: number; longest: number } = USUAL) {
    this.#shortest = shortest;
    this.#longest = longest;
  }

  /** Calls `wake` after a pause, which grows from try to try; returns what takes that back. */
  park(wake: () => void): () => void {
    this.#pause = this.next();
    const timer = setTimeout(wake, this.#pause);
    return () => clearTimeout(timer);
  }

  /** The pause that is due, in milliseconds. */
  next(): number {
    return Math.min(this.#pause === 0 ? this.#shortest : this.#pause * 2, this.#longest);
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
