/** Who reads under a lock: a row of words, each with the token of a reader. */

import { ERRNO, IpcError } from "@ipc/core";
import { wakeWord } from "@ipc/core/sys";
import type { Place } from "./_object.ts";
import { type Owner, TOKEN_MASK } from "./_owner.ts";
import { type OwnerWait, WAITERS } from "./_owner_wait.ts";

/** One handle's view of the row. */
export class ReaderSlots {
  readonly #place: Place;
  readonly #owner: Owner;
  readonly #first: number;
  readonly #count: number;
  /** Where a reader looks for room first: where it had some last. */
  #next: number;

  constructor(place: Place, owner: Owner, first: number, count: number) {
    this.#place = place;
    this.#owner = owner;
    this.#first = first;
    this.#count = count;
    this.#next = Deno.pid % count;
  }

  /** Takes a slot; `undefined`: all are taken, and `wait` knows by whom. */
  enter(wait: OwnerWait): number | undefined {
    const words = this.#place.words("read");
    const { token } = this.#owner;
    for (let tried = 0; tried < this.#count; tried++) {
      const index = this.#first + (this.#next + tried) % this.#count;
      if (Atomics.compareExchange(words, index, 0, token) !== 0) continue;
      this.#next = index - this.#first;
      return index;
    }
    const index = this.#first + this.#next;
    if (this.#empty(words, index, wait)) return this.enter(wait);
    // Another reader may be the first to leave.
    this.#next = (this.#next + 1) % this.#count;
    wait.restless = true;
    return undefined;
  }

  /** Gives a slot back. */
  leave(index: number): void {
    const words = this.#place.words("unlock");
    const { token } = this.#owner;
    if (Atomics.compareExchange(words, index, token, 0) === token) return;
    if (Atomics.compareExchange(words, index, token | WAITERS, 0) !== (token | WAITERS)) return;
    wakeWord(this.#place.mapping, this.#place.offset + index * 4, Infinity);
  }

  /** Whether nobody living reads; if somebody does, `wait` knows who. */
  areEmpty(wait: OwnerWait): boolean {
    const words = this.#place.words("write");
    for (let index = this.#first; index < this.#first + this.#count; index++) {
      if (!this.#empty(words, index, wait)) return false;
    }
    return true;
  }

  /** Whether there is nobody living in a slot; a dead one is taken out. */
  #empty(words: Int32Array<ArrayBuffer>, index: number, wait: OwnerWait): boolean {
    while (true) {
      const seen = Atomics.load(words, index);
      if (seen === 0) return true;
      const token = seen & TOKEN_MASK;
      if (token !== 0 && wait.index === index && wait.alive === token) return false;
      if (this.#owner.takeOver(words, index, seen, 0) !== "alive") continue;
      wait.index = index;
      wait.alive = token;
      return false;
    }
  }
}

/** The guard of a slot. */
export class Reading implements Disposable {
  readonly #place: Place;
  readonly #slots: ReaderSlots;
  readonly #index: number;
  #held = true;

  constructor(place: Place, slots: ReaderSlots, index: number) {
    this.#place = place;
    this.#slots = slots;
    this.#index = index;
  }

  get held(): boolean {
    return this.#held && !this.#place.closed;
  }

  unlock(): void {
    if (this.#place.closed) throw this.#place.closedError("unlock");
    if (!this.#held) {
      throw new IpcError(`Cannot unlock ${this.#place.name}: it is not held through this guard any more`, {
        code: "EPERM",
        errno: ERRNO.EPERM,
      });
    }
    this.#held = false;
    this.#slots.leave(this.#index);
  }

  [Symbol.dispose](): void {
    if (this.held) this.unlock();
  }
}
