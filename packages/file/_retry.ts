/** Waiting for a lock: nothing tells that one is free again, so it is tried, ever more seldom. */

/** Milliseconds between tries. */
const SHORTEST = 1;
const LONGEST = 25;

/** When the next try of one who waits is due. */
export class Retry {
  #pause = 0;

  /** Calls `wake` after a pause, which grows from 1 ms on; returns what takes that back. */
  park(wake: () => void): () => void {
    this.#pause = this.next();
    const timer = setTimeout(wake, this.#pause);
    return () => clearTimeout(timer);
  }

  /** The pause that is due, in milliseconds. */
  next(): number {
    return Math.min(this.#pause === 0 ? SHORTEST : this.#pause * 2, LONGEST);
  }

  /** Blocks this thread for such a pause. */
  block(timeout: number | undefined): void {
    this.#pause = this.next();
    Atomics.wait(sleeping, 0, 0, Math.min(this.#pause, timeout ?? LONGEST));
  }

  /** It was free: the next wait begins with short pauses. */
  reset(): void {
    this.#pause = 0;
  }
}

const sleeping = new Int32Array(new SharedArrayBuffer(4));
