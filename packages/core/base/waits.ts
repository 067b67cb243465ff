/**
 * Calls that wait for the same thing.
 *
 * @module
 */

import type { SyncOptions, WaitOptions } from "../channel.ts";
import { Ladder, nextTurn, turnIsDue } from "./_ladder.ts";
import { cannotBlock, checkTimeout, timedOut, Waiter } from "./_wait.ts";
import type { Park } from "./mechanism.ts";

/** A pending call: what it tries, and whom to tell. */
class Pending<T> extends Waiter<T | undefined> {
  constructor(
    readonly attempt: () => T | undefined,
    /** Whether it only looks, and so stands in nobody's way. */
    readonly watching: boolean,
  ) {
    super();
  }
}

/** What a {@linkcode Waits} is made of. */
export interface WaitsOptions {
  /** What errors say was tried, as it follows "Cannot": `receive`. */
  action: string;
  /**
   * Where to wait until trying again may succeed. Several that only look may have looked since the last time: it waits
   * for a change of what the first of them saw.
   */
  park: Park;
  /** Blocks this thread until trying again may succeed, at most `timeout` milliseconds; absent where nothing can. */
  block?: ((timeout: number | undefined) => void) | undefined;
  /** Whether nothing will follow: those who wait are given `undefined`. Never, unless told. */
  ended?: (() => boolean) | undefined;
}

/** How one call waits. */
export interface TakeOptions extends WaitOptions {
  /** Whether it only looks: then later calls need not stand behind it. */
  watching?: boolean | undefined;
}

/**
 * A line of calls that wait for the same thing and are served in their order: of messages, of a semaphore.
 *
 * A call gives an attempt that never waits; the line tries it, a few times while that pays, then parked until the
 * mechanism says that trying again may succeed. An idle line does not keep the process alive; a call that waits
 * does.
 *
 * @example
 * ```ts
 * import { Waits } from "@ipc/core/base";
 * import { assertEquals } from "@std/assert";
 *
 * let permits = 0;
 * const line = new Waits({ action: "acquire", park: (wake) => (setTimeout(wake, 1), () => {}) });
 * const acquired = line.take(() => permits > 0 ? permits-- : undefined);
 * permits = 2;
 * assertEquals(await acquired, 2);
 * assertEquals(permits, 1);
 * ```
 */
export class Waits {
  readonly #options: WaitsOptions;
  readonly #ladder: Ladder;
  // deno-lint-ignore no-explicit-any
  readonly #pending: Pending<any>[] = [];

  /** Makes a line in which nobody waits. */
  constructor(options: WaitsOptions) {
    this.#options = options;
    this.#ladder = new Ladder(
      options.park,
      () => this.#serve(),
      (error) => this.#fail(error),
    );
  }

  /** How many calls wait, those that only look included. */
  get length(): number {
    return this.#pending.length;
  }

  /** Whether a call waits that takes something. */
  get taking(): boolean {
    return this.#pending.length > 0 && this.#pending.some((waiter) => !waiter.watching);
  }

  /**
   * Resolves with what `attempt` gives once that is not `undefined`; `undefined` is the end.
   *
   * What `attempt` throws rejects this call only.
   *
   * @throws {TimeoutError} if there was nothing within `timeout`.
   * @throws {RangeError} if `timeout` is negative or not a number.
   */
  take<T>(attempt: () => T | undefined, options: TakeOptions = {}): Promise<T | undefined> {
    try {
      checkTimeout(options.timeout);
      options.signal?.throwIfAborted();
      const { value, ended } = this.takeNow(attempt, options.timeout !== 0);
      if (value !== undefined || ended) return Promise.resolve(value);
      if (options.timeout === 0) throw timedOut(this.#options.action, 0);
      return this.wait(attempt, options).promise;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** What `attempt` gives now, unless somebody waits before us or, where we may wait, a turn of the event loop is due. */
  takeNow<T>(attempt: () => T | undefined, mayWait: boolean): { value: T | undefined; ended: boolean } {
    if (this.taking) return WAIT;
    if (mayWait && turnIsDue() && !this.#ended()) {
      // One that is parked does not know that this call has not looked yet.
      if (this.#ladder.waiting) nextTurn(() => this.#serve() && this.#ladder.stop());
      else this.#ladder.climb(true);
      return WAIT;
    }
    const value = attempt();
    return { value, ended: value === undefined && this.#ended() };
  }

  /** Waits in line; the promise, and what gives the wait up: false when it has its answer already. */
  wait<T>(
    attempt: () => T | undefined,
    options: TakeOptions = {},
  ): { promise: Promise<T | undefined>; giveUp: () => boolean } {
    const waiter = new Pending<T>(attempt, options.watching === true);
    this.#pending.push(waiter);
    if (options.timeout !== undefined || options.signal !== undefined) {
      waiter.arm(options, () => {
        this.#atLast(waiter, options.timeout!);
      }, () => {
        if (this.#withdraw(waiter)) waiter.reject(options.signal!.reason);
      });
    }
    this.#ladder.climb();
    return {
      promise: waiter.promise,
      giveUp: () => {
        const pending = this.#withdraw(waiter);
        if (pending) waiter.resolve(undefined);
        return pending;
      },
    };
  }

  /** Gives what `attempt` gives, blocking this thread until that is not `undefined`; `undefined` is the end. */
  takeSync<T>(attempt: () => T | undefined, options: SyncOptions = {}): T | undefined {
    const { action, block } = this.#options;
    const { timeout } = options;
    checkTimeout(timeout);
    const deadline = timeout === undefined ? Infinity : performance.now() + timeout;
    while (true) {
      const value = attempt();
      if (value !== undefined || this.#ended()) return value;
      const left = deadline - performance.now();
      if (left <= 0) throw timedOut(action, timeout!);
      if (block === undefined) throw cannotBlock(action);
      block(left === Infinity ? undefined : left);
    }
  }

  /** Ends every wait: with an error made for each, or with `undefined`. */
  close(error?: () => unknown): void {
    this.#ladder.stop();
    for (const waiter of this.#pending.splice(0)) {
      if (error === undefined) waiter.resolve(undefined);
      else waiter.reject(error());
    }
  }

  /** The time of a call is over: what is there by now it still gets, in its turn. */
  #atLast<T>(waiter: Pending<T>, timeout: number): void {
    if (this.#pending[0] !== waiter && this.#serve()) this.#ladder.stop();
    const first = this.#pending[0] === waiter;
    // Giving up to wait first, for that may bring what the wait itself had taken.
    if (!this.#withdraw(waiter)) return;
    try {
      const value = first ? waiter.attempt() : undefined;
      if (value !== undefined || this.#ended()) waiter.resolve(value);
      else waiter.reject(timedOut(this.#options.action, timeout));
    } catch (error) {
      waiter.reject(error);
    }
  }

  #ended(): boolean {
    return this.#options.ended?.() ?? false;
  }

  #fail(error: unknown): void {
    for (const waiter of this.#pending.splice(0)) waiter.reject(error);
  }

  /** Takes a pending call out of the line; false: it has its answer already. */
  #withdraw<T>(waiter: Pending<T>): boolean {
    const index = (this.#pending as unknown[]).indexOf(waiter);
    if (!this.#remove(waiter)) return false;
    if (index === this.#pending.length && index > 0) return true;
    this.#ladder.stop();
    // What one could not have, or has taken more of than it wanted, those behind it may find.
    if (this.#pending.length > 0) this.#ladder.climb(true);
    return true;
  }

  /**
   * Gives pending calls what is there, in their order; true when none is left. It ends at the first that takes and
   * finds nothing; behind one that only looks others may find what they look for.
   */
  #serve(): boolean {
    const pending = this.#pending;
    for (let index = 0, waiter; (waiter = pending[index]) !== undefined;) {
      let value: unknown;
      try {
        value = waiter.attempt();
      } catch (error) {
        if (this.#remove(waiter)) waiter.reject(error);
        continue;
      }
      if (value !== undefined) {
        if (this.#remove(waiter)) waiter.resolve(value);
        // It may have changed what those before it found.
        index = 0;
      } else if (this.#ended()) {
        for (const each of pending.splice(0)) each.resolve(undefined);
      } else if (waiter.watching) index++;
      else break;
    }
    return pending.length === 0;
  }

  #remove<T>(waiter: Pending<T>): boolean {
    const index = (this.#pending as unknown[]).indexOf(waiter);
    if (index >= 0) this.#pending.splice(index, 1);
    return index >= 0;
  }
}

const WAIT = { value: undefined, ended: false } as const;
