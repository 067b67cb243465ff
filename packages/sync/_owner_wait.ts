/** Waiting until a word that names an owner changes, or its owner dies. */

import { ERRNO, IpcError } from "@ipc/core";
import { blockOnWord, waitForWord } from "@ipc/core/sys";
import type { Place } from "./_object.ts";
import { type Owner, TOKEN_MASK } from "./_owner.ts";
import { LOOK_EVERY, watch } from "./_watch.ts";

/** In the word of an owner: somebody waits until it changes, and is to be woken. */
export const WAITERS = 1 << 30;

/**
 * What one line of calls waits for: the word and the owner in it that its last attempt met.
 *
 * Nothing tells of a death, so who waits looks every 20 ms.
 */
export class OwnerWait {
  /** Of the word, among those of the object. */
  index = 0;
  /** The owner that was seen alive there, and is not looked at again for a while; 0: none. */
  alive = 0;
  /** Whether others may wait for the word too, since we did. */
  contended = false;
  /** Whether something else may have become possible too: then every look is a reason to try. */
  restless = false;
  readonly #place: Place;
  readonly #owner: Owner;
  readonly #verb: string;

  constructor(place: Place, owner: Owner, verb: string) {
    this.#place = place;
    this.#owner = owner;
    this.#verb = verb;
  }

  /** Calls `wake` once when trying again may succeed; returns what gives the wait up. */
  park(wake: () => void): () => void {
    const expected = this.#announce();
    if (expected === undefined) {
      const soon = setTimeout(wake, 0);
      return () => clearTimeout(soon);
    }
    const giveUp = waitForWord(this.#place.mapping, this.#offset, expected, () => {
      unwatch();
      wake();
    });
    const unwatch = watch(() => {
      if (!this.restless && this.#isSame(expected)) return;
      this.alive = 0;
      stop();
      wake();
    });
    const stop = () => {
      unwatch();
      giveUp();
    };
    return stop;
  }

  /**
   * Blocks this thread until trying again may succeed, at most `timeout` milliseconds.
   *
   * Throws an `IpcError` (`EDEADLK`) if the owner is of this thread, which cannot give back what it waits for.
   */
  block(timeout: number | undefined): void {
    if (this.alive !== 0 && this.#owner.isHere(this.alive)) throw this.#deadlock();
    const expected = this.#announce();
    if (expected === undefined) return;
    const slice = Math.min(timeout ?? LOOK_EVERY, LOOK_EVERY);
    if (!blockOnWord(this.#place.mapping, this.#offset, expected, slice)) this.alive = 0;
  }

  get #offset(): number {
    return this.#place.offset + this.index * 4;
  }

  /** The word as it is while somebody waits for it; `undefined`: it has changed, and there is something to try. */
  #announce(): number | undefined {
    const words = this.#place.words(this.#verb);
    const seen = Atomics.load(words, this.index);
    if (this.alive === 0 || (seen & TOKEN_MASK) !== this.alive) return undefined;
    this.contended = true;
    const announced = seen | WAITERS;
    if (seen === announced) return announced;
    return Atomics.compareExchange(words, this.index, seen, announced) === seen ? announced : undefined;
  }

  /** Whether the word is as it was when the wait began, and its owner lives. */
  #isSame(expected: number): boolean {
    try {
      const word = Atomics.load(this.#place.words(this.#verb), this.index);
      return word === expected && this.#owner.isAlive(word & TOKEN_MASK);
    } catch {
      // Trying again tells.
      return false;
    }
  }

  #deadlock(): IpcError {
    return new IpcError(`Cannot ${this.#verb} ${this.#place.name}: this thread holds it already`, {
      code: "EDEADLK",
      errno: ERRNO.EDEADLK,
    });
  }
}
