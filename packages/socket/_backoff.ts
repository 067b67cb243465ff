/** How long to wait before each attempt. */

/** Growing times between attempts. */
export interface BackoffOptions {
  /** Milliseconds before the second attempt; each later one doubles them. 100 unless told. */
  delay?: number | undefined;
  /** The most milliseconds between two attempts; 30,000 unless told. */
  maxDelay?: number | undefined;
  /** The part of each time that is left to chance, 0 to 1, so that many clients do not come at once; 0.5 unless told. */
  jitter?: number | undefined;
  /**
   * Attempts in a row that may fail before it is given up; any number unless told. One whose connection is lost within a
   * second counts, unless the connection before it was a longer one.
   */
  attempts?: number | undefined;
  /** Where chance comes from: a number from 0 to below 1 each time. `Math.random` unless told. */
  random?: (() => number) | undefined;
}

/** Counts attempts that fail in a row, and says how long to wait after each. */
export class Backoff {
  readonly #delay: number;
  readonly #maxDelay: number;
  readonly #jitter: number;
  readonly #attempts: number;
  readonly #random: () => number;
  #failed = 0;

  constructor(options: BackoffOptions) {
    const { delay = 100, maxDelay = 30_000, jitter = 0.5, attempts = Infinity, random = Math.random } =
      options;
    if (!(delay >= 0) || !(maxDelay >= delay)) {
      throw new RangeError(`Cannot wait ${delay} to ${maxDelay} ms between attempts: 0 <= delay <= maxDelay`);
    }
    if (!(jitter >= 0 && jitter <= 1)) {
      throw new RangeError(`Cannot leave ${jitter} of the delay to chance: jitter is a number from 0 to 1`);
    }
    if (!(attempts >= 1)) throw new RangeError(`Cannot try ${attempts} times: attempts is 1 or more`);
    this.#delay = delay;
    this.#maxDelay = maxDelay;
    this.#jitter = jitter;
    this.#attempts = attempts;
    this.#random = random;
  }

  /** Attempts that failed since the last success. */
  get failed(): number {
    return this.#failed;
  }

  /** An attempt has succeeded. */
  succeed(): void {
    this.#failed = 0;
  }

  /** An attempt has failed; the milliseconds to wait before the next, `undefined`: there is none. */
  fail(): number | undefined {
    this.#failed++;
    if (this.#failed >= this.#attempts) return undefined;
    const time = Math.min(this.#maxDelay, this.#delay * 2 ** (this.#failed - 1));
    return time * (1 - this.#jitter * this.#random());
  }
}
