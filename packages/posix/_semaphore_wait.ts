/** Waiting for a semaphore without taking it. */

import { lookAgain, type Mapping, waitForWord } from "@ipc/core/sys";
import { semT } from "./_abi.ts";
import { initialiseAt, post } from "./_semaphore_calls.ts";

/**
 * A `sem_t` of glibc begins with 64 bits: the value, and above it how many wait (sysdeps/nptl/internaltypes.h, struct
 * new_sem). sem_post(3) wakes who waits for the first word, but only where the second is not 0. So who waits counts
 * itself there; if it dies, posting makes a needless system call from then on, and nothing else.
 */
const [VALUE, WAITERS] = [0, 1];

let counted: boolean | undefined;

/**
 * Waits until the value may be above 0, or the mapping was closed, and calls `wake` once; returns what gives the wait
 * up.
 */
export function waitForPost(mapping: Mapping, offset: number, wake: () => void): () => void {
  counted ??= countsWaiters();
  if (!counted) {
    const words = wordsAt(mapping, offset);
    // Without words the memory was closed, or is somewhere else, which whoever waits is to learn.
    const seen = () => words.length === 0 || (Atomics.load(words, VALUE) & semT.VALUE_MASK) !== 0;
    return lookAgain(seen, wake);
  }
  let waiting = true;
  const leave = () => {
    if (!waiting) return;
    waiting = false;
    forget();
    // Memory that was resized may end before it.
    if (mapping.byteLength >= offset + semT.size) Atomics.sub(wordsAt(mapping, offset), WAITERS, 1);
  };
  const forget = mapping.onClose(() => {
    giveUp();
    leave();
    // The mapping is closed only after this.
    queueMicrotask(wake);
  });
  Atomics.add(wordsAt(mapping, offset), WAITERS, 1);
  let giveUp: () => void;
  try {
    giveUp = waitForWord(mapping, offset, 0, () => {
      leave();
      wake();
    });
  } catch (error) {
    leave();
    throw error;
  }
  return () => {
    giveUp();
    leave();
  };
}

function wordsAt({ buffer }: Mapping, offset: number): Int32Array<ArrayBuffer> {
  return new Int32Array(buffer, offset, 2);
}

/** Whether this libc has the layout above: musl has not. Elsewhere the value is looked at again and again. */
function countsWaiters(): boolean {
  if (Deno.build.env === "musl") return false;
  const words = new Int32Array(new ArrayBuffer(semT.size));
  const address = Deno.UnsafePointer.of(words);
  initialiseAt(address, 5);
  words[WAITERS] = 1;
  post(address);
  return words[VALUE] === 6 && words[WAITERS] === 1;
}
