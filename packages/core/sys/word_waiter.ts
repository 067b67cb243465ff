/**
 * Waiting for words in memory that processes share: futexes.
 *
 * Whoever changes a word and wakes those who wait for it may be in another process and another language: C does so
 * in semaphores, mutexes and condition variables. Waiting is comparing: a wait ends at once if the word does not
 * have the value that was expected any more, so that no change goes unseen.
 *
 * @module
 */

import { ERRNO } from "../errno.ts";
import { futexes } from "./_futex.ts";
import { hasFutexWaitv, MOST_WORDS, type Overflow, WordVector } from "./_word_vector.ts";
import { wordAt, WordWait } from "./_word_wait.ts";
import { abi } from "./abi.ts";
import { errno, failure } from "./errno.ts";
import { lookAgain } from "./look_again.ts";
import type { Mapping } from "./mapping.ts";

/** What waiting for words takes at this moment. */
export interface WordDiagnostics {
  /** Threads of the pool behind asynchronous file I/O that are parked: at most two. */
  poolThreads: number;
  /** Words that they wait for: at most 127 each. */
  parked: number;
  /** Words that a timer looks at, since there are more, or the kernel cannot wait for several. */
  looked: number;
}

const SYS_FUTEX = BigInt(abi.SYS_futex);
/** Threads of the pool, of which the runtime's file I/O needs most. */
const MOST_VECTORS = 2;
const EVERYBODY = 0x7fff_ffff;
/** Some 68 years. */
const LONGEST_SECONDS = 2 ** 31 - 1;

const vectors: WordVector[] = [];
/** Waits that a timer looks at, and what ends that. */
const looked = new Map<WordWait, () => void>();
const timespec = new BigInt64Array(2);
/** Whether the kernel waits for several words at once. */
let several: boolean | undefined;

const overflow: Overflow = {
  take() {
    if (!several) return undefined;
    for (const [wait, stop] of looked) {
      stop();
      looked.delete(wait);
      return wait;
    }
  },
  put: look,
  refused() {
    // Not asked again.
    several = false;
  },
};

/**
 * Calls `wake` once, when the 32-bit word at byte `offset` does not have the value `expected` any more, or somebody
 * woke who waits for it; returns what gives the wait up.
 *
 * It may wake for nothing: look at the word, and wait again. A wake-up that arrives while its wait is given up goes
 * on to another who waits for the word, in whatever process. While the wait lasts the process stays alive, and the
 * memory stays mapped; give the wait up before you close the mapping: a wait learns of that within a second.
 *
 * Two calls on two threads of the pool wait for 127 words each, those that were asked for last, a second at a time:
 * as long does the thread of a Worker that was terminated still take wake-ups that others wait for. Who waits here
 * then sees the changed word within a second, who waits in C does not. For the others, and
 * where the kernel has no `futex_waitv`, a timer looks at the words every 1 to 5 ms; it does not see a word that
 * changes and changes back, nor one that is woken without a change. System calls: `futex_waitv`, `futex`.
 *
 * @throws {RangeError} if there is no word at `offset`: it and its address are multiples of 4, inside the mapping.
 * @throws {ClosedError} if the mapping was closed.
 *
 * @example
 * ```ts
 * import { Mapping, waitForWord, wakeWord } from "@ipc/core/sys";
 * import { assertEquals } from "@std/assert";
 *
 * using mapping = Mapping.anonymous(4096);
 * const words = new Int32Array(mapping.buffer);
 * const changed = new Promise<void>((resolve) => waitForWord(mapping, 8, 0, resolve));
 * Atomics.store(words, 2, 7); // In another process, as a rule.
 * wakeWord(mapping, 8);
 * await changed;
 * assertEquals(Atomics.load(words, 2), 7);
 * ```
 */
export function waitForWord(
  mapping: Mapping,
  offset: number,
  expected: number,
  wake: () => void,
): () => void {
  const wait = new WordWait(mapping, offset, expected, wake);
  several ??= hasFutexWaitv();
  if (several) placeForOneMore().add(wait);
  else look(wait);
  return () => giveUp(wait);
}

/**
 * Wakes at most `count` of those who wait for the word at byte `offset`, in all processes; returns how many it were.
 *
 * Change the word first. `Infinity` wakes all. System call: `futex`.
 *
 * @throws {TypeError} if the mapping is for reading.
 * @throws {RangeError} if there is no word at `offset`, or `count` is no number of waiters.
 * @throws {ClosedError} if the mapping was closed.
 *
 * @example
 * ```ts
 * import { Mapping, wakeWord } from "@ipc/core/sys";
 * import { assertEquals } from "@std/assert";
 *
 * using mapping = Mapping.anonymous(4096);
 * Atomics.store(new Int32Array(mapping.buffer), 2, 7);
 * assertEquals(wakeWord(mapping, 8, Infinity), 0); // Nobody waits.
 * ```
 */
export function wakeWord(mapping: Mapping, offset: number, count: number = 1): number {
  const word = wordAt(mapping, offset, "wake who waits for");
  if (mapping.readOnly) {
    throw new TypeError("Cannot wake who waits for a word of a mapping that is for reading");
  }
  if (!(count >= 1)) throw new RangeError(`Cannot wake ${count} of those who wait: it is a number from 1`);
  const most = Math.min(Math.floor(count), EVERYBODY);
  const woken = futexes.futex(SYS_FUTEX, word, abi.FUTEX_WAKE, most, null);
  if (woken === -1) throw failure(errno(), "futex", "wake who waits for the word at byte", offset);
  return woken;
}

/**
 * Blocks this thread until the word at byte `offset` does not have the value `expected` any more, or somebody woke
 * who waits for it, at most `timeout` milliseconds; false: they are over.
 *
 * It may return true for nothing, after a signal for instance: look at the word, and wait again for the time that
 * is left. System call: `futex`.
 *
 * @throws {RangeError} if there is no word at `offset`, or `timeout` is negative or not a number.
 * @throws {ClosedError} if the mapping was closed.
 *
 * @example
 * ```ts
 * import { blockOnWord, Mapping } from "@ipc/core/sys";
 * import { assertEquals } from "@std/assert";
 *
 * using mapping = Mapping.anonymous(4096);
 * assertEquals(blockOnWord(mapping, 0, 1), true);
 * assertEquals(blockOnWord(mapping, 0, 0, 10), false);
 * ```
 */
export function blockOnWord(mapping: Mapping, offset: number, expected: number, timeout?: number): boolean {
  const word = wordAt(mapping, offset, "wait for");
  if (timeout !== undefined) {
    if (!(timeout >= 0)) throw new RangeError(`Cannot wait ${timeout} ms: a timeout is 0 or more`);
    timespec[0] = BigInt(Math.min(Math.floor(timeout / 1000), LONGEST_SECONDS));
    timespec[1] = BigInt(Math.floor(timeout % 1000 * 1e6) || 0);
  }
  const limit = timeout === undefined ? null : timespec;
  if (futexes.futex(SYS_FUTEX, word, abi.FUTEX_WAIT, expected >>> 0, limit) === 0) return true;
  const code = errno();
  if (code === ERRNO.ETIMEDOUT) return false;
  if (code === ERRNO.EAGAIN || code === ERRNO.EINTR) return true;
  throw failure(code, "futex", "wait for the word at byte", offset);
}

/** What waiting for words takes at this moment, in this isolate. */
export function wordDiagnostics(): WordDiagnostics {
  return {
    poolThreads: vectors.filter(({ running }) => running).length,
    parked: vectors.reduce((sum, { length }) => sum + length, 0),
    looked: looked.size,
  };
}

function placeForOneMore(): WordVector {
  const roomy = vectors.find(({ length }) => length < MOST_WORDS);
  if (roomy !== undefined) return roomy;
  if (vectors.length < MOST_VECTORS) vectors.push(new WordVector(overflow));
  return vectors.reduce((best, vector) => vector.length < best.length ? vector : best);
}

function look(wait: WordWait): void {
  const seen = () => wait.changed;
  looked.set(wait, lookAgain(seen, () => (looked.delete(wait), wait.end())));
}

function giveUp(wait: WordWait): void {
  if (wait.wake === undefined) return;
  wait.wake = undefined;
  const stop = looked.get(wait);
  if (stop === undefined) vectors.find((vector) => vector.has(wait))?.change();
  else {
    stop();
    looked.delete(wait);
    wait.letGo();
  }
}
