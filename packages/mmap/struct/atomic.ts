/** Integers that several processes change at once. */

import { ClosedError, type SyncOptions, type WaitOptions } from "@ipc/core";
import { Waits } from "@ipc/core/base";
import { blockOnWord, type Mapping, waitForWord, wakeWord } from "@ipc/core/sys";
import { LAYOUT, type PlaceType, placeType } from "./_field.ts";
import { checkWritable, type Memory, placeProperty } from "./_memory.ts";
import * as numbers from "./numbers.ts";

/** Milliseconds after which a blocked call looks again, should who was woken in its place not go on. */
const SLICE = 1000;

type Words =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/**
 * An integer in memory that several processes change at once, and all see the same of.
 *
 * Every operation is one step for all of them, and orders what comes before it and after it (sequentially consistent;
 * `atomic_fetch_add` and so on in C). A value that does not fit is a `RangeError`; a sum begins anew when it passes
 * the last integer, as in C. When the mapping is closed every use throws a `TypeError`. System calls: none.
 *
 * @example
 * ```ts
 * import { atomic, struct } from "@ipc/mmap/struct";
 * import { assertEquals } from "@std/assert";
 *
 * const Counter = struct({ hits: atomic.u64 });
 * const { hits } = Counter.at(new ArrayBuffer(8));
 * assertEquals(hits.add(2n), 0n);
 * assertEquals(hits.compareExchange(2n, 10n), 2n);
 * assertEquals(hits.load(), 10n);
 * ```
 */
export class Atomic<Value extends number | bigint> {
  readonly #memory: Memory;
  readonly #words: BigInt64Array;
  readonly #check: (value: Value) => void;

  /** For views of structs, which make it. */
  constructor(
    memory: Memory,
    at: number,
    { typed }: numbers.NumberType<Value, unknown>,
    check: (value: Value) => void,
  ) {
    const { data } = memory;
    this.#memory = memory;
    // The types of Atomics go with one kind of array; all that follows does with each.
    this.#words = new typed(data.buffer, data.byteOffset + at, 1) as BigInt64Array;
    this.#check = check;
  }

  /** The value. */
  load(): Value {
    return Atomics.load(this.#words, 0) as Value;
  }

  /** Writes a value. */
  store(value: Value): void {
    Atomics.store(this.#words, 0, this.#taken(value));
  }

  /** Adds to the value; returns what it was. */
  add(value: Value): Value {
    return Atomics.add(this.#words, 0, this.#taken(value)) as Value;
  }

  /** Subtracts from the value; returns what it was. */
  sub(value: Value): Value {
    return Atomics.sub(this.#words, 0, this.#taken(value)) as Value;
  }

  /** Keeps the bits that are set in `value` too; returns what it was. */
  and(value: Value): Value {
    return Atomics.and(this.#words, 0, this.#taken(value)) as Value;
  }

  /** Sets the bits that are set in `value`; returns what it was. */
  or(value: Value): Value {
    return Atomics.or(this.#words, 0, this.#taken(value)) as Value;
  }

  /** Turns the bits round that are set in `value`; returns what it was. */
  xor(value: Value): Value {
    return Atomics.xor(this.#words, 0, this.#taken(value)) as Value;
  }

  /** Writes a value; returns what it was. */
  exchange(value: Value): Value {
    return Atomics.exchange(this.#words, 0, this.#taken(value)) as Value;
  }

  /** Writes `value` if it is `expected`; returns what it was: `expected` if, and only if, it was written. */
  compareExchange(expected: Value, value: Value): Value {
    return Atomics.compareExchange(this.#words, 0, this.#taken(expected), this.#taken(value)) as Value;
  }

  /** Shows the value. */
  [Symbol.for("Deno.customInspect")](): string {
    return this.#words.length === 0 ? "(closed)" : `Atomic ${this.load()}`;
  }

  /** The mapping in which it is. */
  protected get mapping(): Mapping | undefined {
    return this.#memory.mapping;
  }

  /** Where it is in its mapping, or in the memory that was given. */
  protected get position(): number {
    const { data, offset } = this.#memory;
    return offset + this.#words.byteOffset - data.byteOffset;
  }

  /** Throws if a value does not fit. */
  protected check(value: Value): void {
    this.#check(value);
  }

  /** As {@linkcode Atomic.load}, and undefined if that is `expected`. */
  protected otherThan(expected: Value): Value | undefined {
    const value = this.load();
    return value === expected ? undefined : value;
  }

  /** A value that may be written. */
  #taken(value: Value): bigint {
    this.#check(value);
    checkWritable(this.#memory.data);
    return value as bigint;
  }
}

/**
 * A 32-bit integer that processes wait for, besides: a futex. C waits and wakes with futex(2), as for shared memory.
 *
 * Whoever waits compares: change the value first, then `notify`. It has to be in a mapping.
 *
 * @example
 * ```ts
 * import { Mapping } from "@ipc/core/sys";
 * import { atomic, struct } from "@ipc/mmap/struct";
 * import { assertEquals } from "@std/assert";
 *
 * const Job = struct({ state: atomic.u32 });
 * using mapping = Mapping.anonymous(4096);
 * const { state } = Job.at(mapping);
 * const changed = state.wait(0, { timeout: 10_000 });
 * Job.at(mapping).state.store(7); // in another process, as a rule
 * state.notify();
 * assertEquals(await changed, 7);
 * ```
 */
export class AtomicWord extends Atomic<number> {
  /**
   * Resolves with the value once it is not `expected` any more; a value that changes and changes back may go unseen.
   *
   * System calls: none if it is another already; `futex_waitv`.
   *
   * @throws {TimeoutError} if it was `expected` for `timeout` milliseconds.
   * @throws {RangeError} if `expected` does not fit, or `timeout` is negative.
   * @throws {ClosedError} if the mapping is closed meanwhile.
   * @throws {TypeError} if it is in no mapping, or that was closed before; or, within a second, if the mapping's size
   *   is changed meanwhile: look at the value through a new view.
   */
  async wait(expected: number, options: WaitOptions = {}): Promise<number> {
    const { mapping, line } = this.#line(expected);
    const forget = mapping.onClose(() =>
      line.close(() => new ClosedError("Cannot wait: the mapping was closed"))
    );
    try {
      return (await line.take(() => this.otherThan(expected), options))!;
    } finally {
      forget();
    }
  }

  /**
   * Returns the value once it is not `expected` any more, blocking this thread. System calls: none if it is another
   * already; `futex`.
   *
   * @throws {TimeoutError} if it was `expected` for `timeout` milliseconds.
   * @throws {RangeError} if `expected` does not fit, or `timeout` is negative.
   * @throws {TypeError} if it is in no mapping, or that was closed before.
   */
  waitSync(expected: number, options: SyncOptions = {}): number {
    return this.#line(expected).line.takeSync(() => this.otherThan(expected), options)!;
  }

  /**
   * Wakes so many of those who wait, all unless told; returns how many it were. System call: `futex`.
   *
   * @throws {TypeError} if it is in no mapping, or in one for reading, or that was closed before.
   * @throws {RangeError} if `count` is less than 1.
   */
  notify(count: number = Infinity): number {
    return wakeWord(this.#find(), this.position, count);
  }

  #line(expected: number): { mapping: Mapping; line: Waits } {
    const mapping = this.#find();
    this.check(expected);
    const line = new Waits({
      action: "wait",
      park: (wake) => waitForWord(mapping, this.position, expected, wake),
      block: (timeout) =>
        void blockOnWord(mapping, this.position, expected, Math.min(timeout ?? SLICE, SLICE)),
    });
    return { mapping, line };
  }

  #find(): Mapping {
    this.load(); // throws if it was closed, or moved as it grew
    const { mapping } = this;
    if (mapping === undefined) throw new TypeError("Cannot wait for an atomic that is in no mapping");
    return mapping;
  }
}

/** A field that is an atomic integer. */
export type AtomicType<Value extends number | bigint, Place extends Atomic<Value> = Atomic<Value>> =
  PlaceType<
    Value,
    Place
  >;

/** The integers that can be atomic. */
export interface AtomicTypes {
  /** `_Atomic int8_t` in C. */
  readonly i8: AtomicType<number>;
  /** `_Atomic uint8_t` in C. */
  readonly u8: AtomicType<number>;
  /** `_Atomic int16_t` in C. */
  readonly i16: AtomicType<number>;
  /** `_Atomic uint16_t` in C. */
  readonly u16: AtomicType<number>;
  /** `_Atomic int32_t` in C, which can be waited for. */
  readonly i32: AtomicType<number, AtomicWord>;
  /** `_Atomic uint32_t` in C, which can be waited for. */
  readonly u32: AtomicType<number, AtomicWord>;
  /** `_Atomic int64_t` in C. */
  readonly i64: AtomicType<bigint>;
  /** `_Atomic uint64_t` in C. */
  readonly u64: AtomicType<bigint>;
}

/**
 * Integers that several processes change at once: `atomic.u32` is `_Atomic uint32_t` in C.
 *
 * A view has an {@linkcode Atomic} in the place of such a field; those of 32 bits can be waited for.
 */
export const atomic: AtomicTypes = {
  i8: atomicType(numbers.i8, Atomic<number>),
  u8: atomicType(numbers.u8, Atomic<number>),
  i16: atomicType(numbers.i16, Atomic<number>),
  u16: atomicType(numbers.u16, Atomic<number>),
  i32: atomicType(numbers.i32, AtomicWord),
  u32: atomicType(numbers.u32, AtomicWord),
  i64: atomicType(numbers.i64, Atomic<bigint>),
  u64: atomicType(numbers.u64, Atomic<bigint>),
};

type Made<Value extends number | bigint, Place> = new (
  memory: Memory,
  at: number,
  type: numbers.NumberType<Value, unknown>,
  check: (value: Value) => void,
) => Place;

function atomicType<Value extends number | bigint, Place extends Atomic<Value>>(
  type: numbers.NumberType<Value, Words>,
  made: Made<Value, Place>,
): PlaceType<Value, Place> {
  const plain = type[LAYOUT];
  const name = `atomic.${plain.name}`;
  const scratch = new DataView(new ArrayBuffer(8));
  const check = (value: Value) => plain.write(scratch, 0, value, name);
  const place = (memory: Memory, at: number) => new made(memory, at, type, check);
  const word = ({ buffer, byteOffset }: DataView, at: number) => {
    return new type.typed(buffer, byteOffset + at, 1) as BigInt64Array;
  };
  return placeType<Value, Place>({
    ...plain,
    name,
    atomic: true,
    place,
    read: (data, at) => Atomics.load(word(data, at), 0) as Value,
    write(data, at, value, field) {
      plain.write(scratch, 0, value, field);
      checkWritable(data);
      Atomics.store(word(data, at), 0, value as bigint);
    },
    property: (at, field, index) => placeProperty({ place }, at, field, index),
    declare: (field, declarations, outer) => `_Atomic ${plain.declare(field, declarations, outer)}`,
    describe: (path, at, lines) => void lines.push({ path, at, type: name }),
  });
}
