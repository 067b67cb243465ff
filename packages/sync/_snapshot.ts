/** What a cell holds, and where in its memory. */

import { LayoutMismatchError } from "@ipc/core";

/** What tells how a value lies in memory: a struct of `@ipc/mmap/struct`, or something like it. */
export interface Schema<T> {
  /** Bytes. */
  readonly byteLength: number;
  /** A hash of the layout, 0n if there is none; two with the same hash are laid out the same. */
  readonly fingerprint: bigint;
  /** The value in some memory. */
  read(memory: ArrayBuffer, offset?: number): T;
  /** Puts a value into some memory; throws what is wrong with it. */
  write(memory: ArrayBuffer, offset: number, value: T): void;
  /** A view of some memory, which `read` and `write` take as well as the memory itself. */
  at?(memory: ArrayBuffer): object;
}

/** Just bytes. */
export interface BytesSchema {
  /** How many. */
  readonly byteLength: number;
}

const MOST = 2 ** 30;

/** What a cell was asked to hold, as a schema. */
export function schemaOf<T>(schema: Schema<T> | BytesSchema): Schema<T> {
  const { byteLength } = schema;
  if (!(Number.isInteger(byteLength) && byteLength >= 1 && byteLength <= MOST)) {
    throw new RangeError(`Cannot keep ${byteLength} bytes: it is an integer from 1 to ${MOST}`);
  }
  return "read" in schema ? schema : bytes(byteLength) as unknown as Schema<T>;
}

function bytes(byteLength: number): Schema<Uint8Array> {
  return {
    byteLength,
    fingerprint: 0n,
    at: (memory) => new Uint8Array(memory, 0, byteLength),
    read: (view) => (view as unknown as Uint8Array).slice(),
    write(view, _offset, value) {
      if (!(value instanceof Uint8Array)) {
        throw new TypeError("Cannot keep what is no Uint8Array where no schema was given");
      }
      if (value.byteLength !== byteLength) {
        throw new RangeError(`Cannot keep ${value.byteLength} bytes where there are ${byteLength}`);
      }
      (view as unknown as Uint8Array).set(value);
    },
  };
}

/** A place for one value outside the shared memory, read and written as words of 64 bits. */
export class Scratch<T> {
  readonly #schema: Schema<T>;
  readonly #memory: ArrayBuffer;
  readonly #longs: BigInt64Array<ArrayBuffer>;

  constructor(schema: Schema<T>) {
    const longs = new BigInt64Array(Math.ceil(schema.byteLength / 8));
    this.#schema = schema;
    // A view that is made once saves a struct 100 ns each time.
    this.#memory = (schema.at?.(longs.buffer) ?? longs.buffer) as ArrayBuffer;
    this.#longs = longs;
  }

  get value(): T {
    return this.#schema.read(this.#memory, 0);
  }

  set value(value: T) {
    this.#schema.write(this.#memory, 0, value);
  }

  /**
   * Copies out of shared memory. Through Atomics all of it: a plain load may happen later than it is written, and
   * what is read is to be older than the version that is looked at next.
   */
  load(from: BigInt64Array<ArrayBuffer>, start: number): void {
    const longs = this.#longs;
    for (let index = 0; index < longs.length; index++) longs[index] = Atomics.load(from, start + index);
  }

  /** Copies into shared memory. Through Atomics too: no store may be seen before the version that was stored last. */
  store(to: BigInt64Array<ArrayBuffer>, start: number): void {
    const longs = this.#longs;
    for (let index = 0; index < longs.length; index++) Atomics.store(to, start + index, longs[index]!);
  }
}

/** Words as pairs, which halves what it costs to copy them; made once for each view of the memory. */
export class Pairs {
  #words = new Int32Array(0);
  #longs = new BigInt64Array(0);

  of(words: Int32Array<ArrayBuffer>): BigInt64Array<ArrayBuffer> {
    if (words === this.#words) return this.#longs;
    this.#words = words;
    return this.#longs = new BigInt64Array(words.buffer, words.byteOffset, words.length / 2);
  }
}

/** Words of a cell: before the two copies of its value. */
export const [VERSION, SLEEPERS, LENGTH, FINGERPRINT, LOCK_ID] = [1, 2, 3, 4, 6];
const HEADER = 8;
/** Behind them: the lock of its writers is the last word, so that no value is taken for an owner. */
const TRAILER = 4;

/** Bytes of the words before the value. */
export const HEADER_BYTES: number = 4 * HEADER;

/** Words of one copy. */
function strideOf(byteLength: number): number {
  return Math.ceil(byteLength / 16) * 4;
}

/** Bytes of a cell for a value of so many. */
export function cellBytes(byteLength: number): number {
  return 4 * (HEADER + 2 * strideOf(byteLength) + TRAILER);
}

/** Where the copy of a version begins, in pairs of words. */
export function copyOf(version: number, byteLength: number): number {
  return (HEADER + (version & 1) * strideOf(byteLength)) / 2;
}

/** Bytes of the cell that begins with these words; `undefined`: they make no sense. */
export function lengthOf(words: Int32Array<ArrayBuffer>): number | undefined {
  const byteLength = Atomics.load(words, LENGTH);
  return byteLength >= 1 && byteLength <= MOST ? cellBytes(byteLength) : undefined;
}

/** Writes down what a cell holds. */
export function label(words: Int32Array<ArrayBuffer>, { byteLength, fingerprint }: Schema<unknown>): void {
  Atomics.store(words, LENGTH, byteLength);
  Atomics.store(words, FINGERPRINT, Number(BigInt.asIntN(32, fingerprint)));
  Atomics.store(words, FINGERPRINT + 1, Number(BigInt.asIntN(32, fingerprint >> 32n)));
}

/** Throws unless a cell holds this. */
export function checkLabel(words: Int32Array<ArrayBuffer>, schema: Schema<unknown>, name: string): void {
  const expected = new Int32Array(HEADER);
  label(expected, schema);
  const theirs = Atomics.load(words, LENGTH);
  if (theirs !== schema.byteLength) {
    throw new LayoutMismatchError(
      `Cannot use ${name}: it was initialized for ${theirs} bytes, and ours are ${schema.byteLength}`,
    );
  }
  if ([FINGERPRINT, FINGERPRINT + 1].every((index) => Atomics.load(words, index) === expected[index])) return;
  throw new LayoutMismatchError(`Cannot use ${name}: it was initialized for another schema`, {
    hint: "both sides need the same struct, or both none",
  });
}
