/** Many of the same, one after another. */

import {
  checkCount,
  copyField,
  type FieldType,
  LAYOUT,
  type Layout,
  type PlaceType,
  placeType,
  shown,
} from "./_field.ts";
import { checkWritable, copyBytes, type Memory, placeProperty } from "./_memory.ts";
import type { NumberType } from "./numbers.ts";

/**
 * The elements of an array, in place.
 *
 * When the mapping is closed every use throws a `TypeError`.
 */
export class ArrayView<Value, Place> implements Iterable<Place> {
  /** How many there are. */
  readonly length: number;
  readonly #memory: Memory;
  readonly #at: number;
  readonly #element: Layout<Value, Place>;

  /** For arrays of structs, which make it. */
  constructor(memory: Memory, at: number, element: Layout<Value, Place>, length: number) {
    this.length = length;
    this.#memory = memory;
    this.#at = at;
    this.#element = element;
  }

  /**
   * An element: a number or text as it is now, a struct, an array or an atomic in its place.
   *
   * @throws {RangeError} if there is none of that index: it is an integer from 0.
   */
  at(index: number): Place {
    const element = this.#element;
    const at = this.#find(index);
    if (element.place === undefined) return element.read(this.#memory.data, at) as unknown as Place;
    return element.place(this.#memory, at);
  }

  /**
   * Writes an element, whole.
   *
   * @throws {RangeError} if there is none of that index, or the value does not fit.
   * @throws {TypeError} if the value is of another type, or the mapping is for reading.
   */
  set(index: number, value: Value): void {
    this.#element.write(this.#memory.data, this.#find(index), value, "an element");
  }

  /** The elements, each in its turn as `at` gives it. */
  *[Symbol.iterator](): IterableIterator<Place> {
    for (let index = 0; index < this.length; index++) yield this.at(index);
  }

  /** The same in an array of numbers: a typed array over the memory. */
  protected over<Typed>(typed: NumberType<Value, Typed>["typed"]): Typed {
    const { data } = this.#memory;
    return new typed(data.buffer, data.byteOffset + this.#at, this.length);
  }

  #find(index: number): number {
    // What is no integer is not the same any more.
    if (index >>> 0 === index && index < this.length) return this.#at + index * this.#element.byteLength;
    throw new RangeError(`Cannot use element ${index}: there are ${this.length}, from 0`);
  }
}

/** The elements of an array of numbers, in place. */
export class NumbersView<Value, Typed> extends ArrayView<Value, Value> {
  readonly #typed: NumberType<Value, Typed>["typed"];

  /** For arrays of structs, which make it. */
  constructor(
    memory: Memory,
    at: number,
    element: Layout<Value, Value>,
    length: number,
    typed: NumberType<Value, Typed>["typed"],
  ) {
    super(memory, at, element, length);
    this.#typed = typed;
  }

  /**
   * A typed array over the same memory, which is the fastest way to many numbers.
   *
   * It checks nothing: what does not fit is cut to its bits, an index that is not there is `undefined`, and when the
   * mapping is closed all are. In a mapping for reading, writing into it ends the process.
   *
   * @throws {RangeError} if the array is packed, so that it does not begin at a multiple of its elements' size.
   * @throws {TypeError} if the mapping was closed.
   *
   * @example
   * ```ts
   * import { array, f32, struct } from "@ipc/mmap/struct";
   * import { assertEquals } from "@std/assert";
   *
   * const Wave = struct({ samples: array(f32, 64) });
   * const wave = Wave.at(new ArrayBuffer(Wave.byteLength));
   * wave.samples.typed().fill(0.5);
   * assertEquals(wave.samples.at(63), 0.5);
   * ```
   */
  typed(): Typed {
    return this.over<Typed>(this.#typed);
  }
}

/** A field that is an array. */
export type ArrayType<Value, Place, View> = PlaceType<readonly Value[], View> & {
  /** How many elements it has. */
  readonly length: number;
  /** What they are. */
  readonly element: FieldType<Value, Place>;
};

/**
 * An array of numbers: `T name[length]` in C.
 *
 * @throws {RangeError} if `length` is not an integer from 1 to 2 ** 32.
 *
 * @example
 * ```ts
 * import { array, struct, u16 } from "@ipc/mmap/struct";
 * import { assertEquals } from "@std/assert";
 *
 * const Row = struct({ cells: array(u16, 3) });
 * const row = Row.at(new ArrayBuffer(6));
 * row.cells.set(1, 500);
 * assertEquals([...row.cells], [0, 500, 0]);
 * ```
 */
export function array<Value, Typed>(
  element: NumberType<Value, Typed>,
  length: number,
): ArrayType<Value, Value, NumbersView<Value, Typed>>;
/**
 * An array of anything else, also of structs and of arrays: `T name[length]` in C.
 *
 * @throws {RangeError} if `length` is not an integer from 1 to 2 ** 32.
 *
 * @example
 * ```ts
 * import { array, f64, struct } from "@ipc/mmap/struct";
 * import { assertEquals } from "@std/assert";
 *
 * const Path = struct({ points: array(struct({ x: f64, y: f64 }), 10) });
 * const path = Path.at(new ArrayBuffer(Path.byteLength));
 * path.points.at(9).y = 1.5;
 * assertEquals(new Float64Array([1.5]), new Float64Array([path.points.at(9).y]));
 * ```
 */
export function array<Value, Place>(
  element: FieldType<Value, Place>,
  length: number,
): ArrayType<Value, Place, ArrayView<Value, Place>>;
export function array<Value, Place>(
  type: FieldType<Value, Place> | NumberType<Value, unknown>,
  length: number,
): ArrayType<Value, Place, ArrayView<Value, Place>> {
  checkCount(length, "an array");
  const element = type?.[LAYOUT] as Layout<Value, Place> | undefined;
  if (element === undefined) throw new TypeError("Cannot make an array of what is no type of a field");
  const size = element.byteLength;
  const place = (memory: Memory, at: number): ArrayView<Value, Place> => {
    if (!("typed" in type)) return new ArrayView(memory, at, element, length);
    const numbers = new NumbersView(
      memory,
      at,
      element as unknown as Layout<Value, Value>,
      length,
      type.typed,
    );
    return numbers as unknown as ArrayView<Value, Place>;
  };
  const layout: Layout<readonly Value[], ArrayView<Value, Place>> = {
    name: `${element.name}[${length}]`,
    byteLength: size * length,
    align: element.align,
    atomic: element.atomic,
    place,
    read: (data, at) => Array.from({ length }, (_, index) => element.read(data, at + index * size)),
    write(data, at, values, name) {
      // A string has a length and elements too.
      if (typeof values !== "object" || typeof values?.length !== "number") {
        throw new TypeError(`Cannot write ${name}: it is an array, and not ${shown(values)}`);
      }
      if (values.length !== length) {
        throw new RangeError(`Cannot write ${name}: it has ${length} elements, and not ${values.length}`);
      }
      checkWritable(data);
      for (let index = 0; index < length; index++) {
        element.write(data, at + index * size, values[index]!, name);
      }
    },
    copy(from, fromAt, to, toAt) {
      if ("typed" in type) return copyBytes(from, fromAt, to, toAt, size * length);
      for (let index = 0; index < length; index++) {
        copyField(element, from, fromAt + index * size, to, toAt + index * size);
      }
    },
    property: (at, name, index) => placeProperty({ place }, at, name, index),
    declare: (name, declarations, outer) => element.declare(`${name}[${length}]`, declarations, outer),
    describe(path, at, lines) {
      lines.push({ path, at, type: `array of ${length} times ${size}` });
      element.describe(`${path}[]`, at, lines);
    },
  };
  return Object.freeze({ ...placeType(layout), length, element: type as FieldType<Value, Place> });
}
