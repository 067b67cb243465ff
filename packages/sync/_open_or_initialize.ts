/** Making an object unless it is there, where several programs start at once. */

import { TimeoutError } from "@ipc/core";
import type { Mapping } from "@ipc/core/sys";
import { lockByte, unlockByte } from "./_byte_lock.ts";
import { lockFileOf } from "./_lock_file.ts";
import { type Kind, Place } from "./_object.ts";
import { FIRST_POSITION } from "./_owner.ts";

/** Milliseconds after which who makes an object, which takes microseconds, was stopped. */
const PATIENCE = 10_000;
/** The words that every object has. */
const LEAST = 16;

/** What is there, by its words: an object, or nothing yet. */
export interface Look {
  readonly byteLength: number;
  isMade(words: Int32Array<ArrayBuffer>): boolean;
  isBlank(words: Int32Array<ArrayBuffer>): boolean;
}

/** What `at` finds, or, where nothing is yet, what `initialize` makes: one at a time. */
export function openOrInitialize<T>(
  kind: Kind,
  mapping: Mapping,
  offset: number,
  at: () => T,
  initialize: () => T,
  look: Look = lookFor(kind),
): T {
  const place = Place.of(kind, mapping, offset, look.byteLength, "use");
  try {
    if (look.isMade(place.words("use"))) return at();
    using _turn = takeTurn(mapping, place.name);
    // What is neither of the two `at` refuses.
    return look.isBlank(place.words("use")) ? initialize() : at();
  } finally {
    place.close();
  }
}

/** The mark is written last, so that what somebody did not finish is blank. */
function lookFor({ mark }: Kind): Look {
  return {
    byteLength: LEAST,
    isMade: (words) => Atomics.load(words, 0) === mark,
    isBlank: (words) => Atomics.load(words, 0) === 0,
  };
}

/** The byte of nobody, for no owner's token is 0; it goes back to the others also when who has it dies. */
function takeTurn(mapping: Mapping, name: string): Disposable {
  const file = lockFileOf(mapping);
  const { fd } = file;
  try {
    const end = performance.now() + PATIENCE;
    while (fd !== undefined && !lockByte(fd, FIRST_POSITION)) {
      if (performance.now() > end) {
        throw new TimeoutError(`Cannot use ${name}: another program has been making one for ${PATIENCE} ms`);
      }
      pause();
    }
  } catch (error) {
    file.leave();
    throw error;
  }
  return {
    [Symbol.dispose]() {
      if (fd !== undefined) unlockByte(fd, FIRST_POSITION);
      file.leave();
    },
  };
}

function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
}
