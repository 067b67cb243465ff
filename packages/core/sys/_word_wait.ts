/** One wait for one word. */

import { futexes } from "./_futex.ts";
import { abi } from "./abi.ts";
import type { Mapping } from "./mapping.ts";

const SYS_FUTEX = BigInt(abi.SYS_futex);

/**
 * A word, and the value with which it is waited for.
 *
 * It keeps the memory from being unmapped until {@linkcode WordWait.letGo} or {@linkcode WordWait.end}.
 */
export class WordWait {
  /** Of the word; as futex_waitv(2) takes it. */
  readonly address: bigint;
  /** That is expected; as futex_waitv(2) takes it. */
  readonly value: bigint;
  /** Whom to tell; `undefined` once the wait was given up. */
  wake: (() => void) | undefined;
  readonly #word: Int32Array<ArrayBuffer>;
  readonly #expected: number;
  readonly #pin: Disposable;

  constructor(mapping: Mapping, offset: number, expected: number, wake: () => void) {
    this.#word = wordAt(mapping, offset, "wait for");
    this.address = Deno.UnsafePointer.value(Deno.UnsafePointer.of(this.#word));
    // The kernel refuses it, and with it all that the same call waits for.
    if (this.address % 4n !== 0n) {
      throw new RangeError(`Cannot wait for the word at byte ${offset}: its address is not a multiple of 4`);
    }
    this.#expected = expected | 0;
    this.value = BigInt(expected >>> 0);
    this.wake = wake;
    this.#pin = mapping.pin();
  }

  /** Whether the word has another value, or its memory was closed, which whoever waits is to learn. */
  get changed(): boolean {
    const word = this.#word;
    return word.length === 0 || Atomics.load(word, 0) !== this.#expected;
  }

  /** Wakes another that waits for the word, since the wake-up that came is not wanted any more. */
  passOn(): void {
    // It fails in memory that is mapped for reading: nobody can wake from there.
    if (this.#word.length > 0) futexes.futex(SYS_FUTEX, this.#word, abi.FUTEX_WAKE, 1, null);
  }

  /** Tells who waits. */
  end(): void {
    const { wake } = this;
    this.wake = undefined;
    this.letGo();
    wake?.();
  }

  /** No call uses the memory any more. */
  letGo(): void {
    this.#pin[Symbol.dispose]();
  }
}

/** A view of one word. */
export function wordAt(mapping: Mapping, offset: number, verb: string): Int32Array<ArrayBuffer> {
  const { buffer } = mapping;
  if (Number.isInteger(offset) && offset >= 0 && offset % 4 === 0 && offset + 4 <= buffer.byteLength) {
    return new Int32Array(buffer, offset, 1);
  }
  throw new RangeError(
    `Cannot ${verb} the word at byte ${offset}: a word begins at every fourth of the mapping's ${buffer.byteLength} bytes`,
  );
}
