/** The guard of a lock in one word. */

import { ERRNO, IpcError } from "@ipc/core";
import { ADOPT } from "./_adopt.ts";
import { ABANDONED, type Claim, FREE, type LockWord, NOT_RECOVERABLE } from "./_lock_word.ts";
import { pidOf } from "./_owner.ts";
import type { LockGuard, PreviousOwner } from "./mutex_guard.ts";

/** A lock that is held, from its claim on. */
export class Held implements LockGuard {
  readonly #lock: LockWord;
  #claim: Claim;
  /** What the lock becomes when it is given back; `undefined`: that was done. */
  #next: typeof FREE | typeof NOT_RECOVERABLE | undefined;

  constructor(lock: LockWord, claim: Claim) {
    this.#lock = lock;
    this.#claim = claim;
    this.#next = claim === FREE ? FREE : NOT_RECOVERABLE;
  }

  get abandoned(): boolean {
    return this.#claim !== FREE;
  }

  get previousOwner(): PreviousOwner | undefined {
    return this.abandoned && this.#claim !== ABANDONED ? { pid: pidOf(this.#claim) } : undefined;
  }

  get held(): boolean {
    return this.#next !== undefined && !this.#lock.place.closed;
  }

  markConsistent(): void {
    if (!this.held) throw this.#notHeld("mark consistent");
    this.#next = FREE;
  }

  unlock(): void {
    const next = this.#next;
    if (next === undefined || this.#lock.place.closed) throw this.#notHeld("unlock");
    this.#next = undefined;
    if (!this.#lock.release(next)) throw this.#notHeld("unlock");
  }

  /** The lock that was given up here is taken again. */
  [ADOPT](next: Held): void {
    this.#claim = next.#claim;
    this.#next = next.#next;
    next.#next = undefined;
  }

  [Symbol.dispose](): void {
    if (this.held) this.unlock();
  }

  #notHeld(verb: string): IpcError {
    const { place } = this.#lock;
    if (place.closed) return place.closedError(verb);
    return new IpcError(`Cannot ${verb} ${place.name}: it is not held through this guard any more`, {
      code: "EPERM",
      errno: ERRNO.EPERM,
    });
  }
}
