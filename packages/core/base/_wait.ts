/** What every pending call has: a promise, perhaps a time limit, perhaps a signal. */

import type { WaitOptions } from "../channel.ts";
import { NotSupportedError, TimeoutError } from "../errors.ts";

/** Timers count in 31 bits; what is longer than 24 days is as good as for ever. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Checks a timeout; throws before anything else happens. */
export function checkTimeout(timeout: number | undefined): void {
  if (timeout !== undefined && !(timeout >= 0)) {
    throw new RangeError(`Cannot wait ${timeout} ms: a timeout is 0 or more`);
  }
}

/** The error of a wait whose time is over. */
export function timedOut(what: string, timeout: number): TimeoutError {
  return new TimeoutError(`Cannot ${what}: nothing happened within ${timeout} ms`, { code: "ETIMEDOUT" });
}

/** The error of a call that would have to block where no thread can be blocked. */
export function cannotBlock(what: string): NotSupportedError {
  return new NotSupportedError(`Cannot ${what}: nothing can block this thread here`, { code: "ENOSYS" });
}

/** What ends a wait early, and how that is called off. */
interface Limits {
  readonly timer: ReturnType<typeof setTimeout> | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onAbort: () => void;
}

/** A call that waits. */
export class Waiter<T> {
  readonly promise: Promise<T>;
  #resolve!: (value: T) => void;
  #reject!: (reason: unknown) => void;
  #limits: Limits | undefined;

  constructor() {
    this.promise = new Promise<T>((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Starts the time limit and listens to the signal. */
  arm({ timeout, signal }: WaitOptions, onTimeout: () => void, onAbort: () => void): void {
    const timer = timeout !== undefined && timeout <= LONGEST_TIMER
      ? setTimeout(onTimeout, timeout)
      : undefined;
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#limits = { timer, signal, onAbort };
  }

  resolve(value: T): void {
    this.#disarm();
    this.#resolve(value);
  }

  reject(reason: unknown): void {
    this.#disarm();
    this.#reject(reason);
  }

  #disarm(): void {
    if (this.#limits === undefined) return;
    const { timer, signal, onAbort } = this.#limits;
    this.#limits = undefined;
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}
