/** Sleeping until a word of an object changes, and waking who does. */

import { blockOnWord, waitForWord, wakeWord } from "@ipc/core/sys";
import type { Place } from "./_object.ts";

/**
 * Milliseconds after which a blocked call looks again, should who was woken in its place not go on: it was killed,
 * or its event loop is busy. Waits that do not block look as often by themselves.
 */
const SLICE = 1000;

/** How one counts whom not every wake-up helps: where there is such a one, all are woken. */
export const GREEDY = 0x1_0000;

/**
 * A word of an object that is slept on, and the word behind which those who do are counted, so that nobody makes a
 * system call to wake nobody.
 *
 * Who changes the word looks at the count after that; who sleeps counts itself before the kernel compares the word.
 * So one of the two always learns of the other. Whoever is killed asleep stays counted, and costs a needless system
 * call at each change from then on.
 */
export class Sleepers {
  readonly #place: Place;
  readonly #word: number;
  readonly #count: number;
  #oldest: number | undefined;

  constructor(place: Place, word: number, count: number) {
    this.#place = place;
    this.#word = word;
    this.#count = count;
  }

  /** Remembers what one of those saw who wait in one line and cannot go on yet, for `parkAll`. */
  note(seen: number): undefined {
    this.#oldest ??= seen;
  }

  /** What `park` does, for all of a line: it must not miss what changed since the first of them looked. */
  parkAll(wake: () => void): () => void {
    const seen = this.#oldest!;
    this.#oldest = undefined;
    return this.park(seen, wake);
  }

  /** Calls `wake` once when the word may be another than `seen`; returns what gives that up. */
  park(seen: number, wake: () => void, weight: number = 1): () => void {
    let counted = true;
    const leave = () => {
      if (counted) this.#add(-weight);
      counted = false;
    };
    this.#add(weight);
    try {
      const { mapping, offset } = this.#place;
      const giveUp = waitForWord(mapping, offset + 4 * this.#word, seen, () => {
        leave();
        wake();
      });
      return () => {
        giveUp();
        leave();
      };
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** Blocks this thread until the word may be another than `seen`, for so many milliseconds at most. */
  block(seen: number, timeout: number = SLICE, weight: number = 1): void {
    const { mapping, offset } = this.#place;
    this.#add(weight);
    try {
      blockOnWord(mapping, offset + 4 * this.#word, seen, Math.min(timeout, SLICE));
    } finally {
      this.#add(-weight);
    }
  }

  /** Wakes some who sleep, after the word was changed; all unless told. */
  wake(words: Int32Array<ArrayBuffer>, most: number = Infinity): void {
    const sleeping = Atomics.load(words, this.#count);
    if (sleeping === 0) return;
    const { mapping, offset } = this.#place;
    wakeWord(mapping, offset + 4 * this.#word, sleeping < GREEDY ? most : Infinity);
  }

  /** Also after the end of the handle, and wherever the memory is by now. */
  #add(change: number): void {
    const { mapping, offset, byteLength, closed } = this.#place;
    if (mapping.closed || mapping.byteLength < offset + byteLength) return;
    const words = closed
      ? new Int32Array(mapping.buffer, offset, byteLength / 4)
      : this.#place.words("wait for");
    Atomics.add(words, this.#count, change);
  }
}
