/** Where structs lie. */

import { Mapping } from "@ipc/core/sys";
import type { Layout } from "./_field.ts";

/**
 * What a struct can lie in: a mapping, memory of the runtime's own, a part of it (a typed array or `DataView`), or the
 * view of a struct, which is the memory of that struct.
 */
export type MemorySource = Mapping | ArrayBufferLike | ArrayBufferView<ArrayBufferLike> | StructView;

/** The memory of a struct, and of all that is in it. */
export interface Memory {
  readonly data: DataView;
  /** Where `data` begins in its mapping. */
  readonly offset: number;
  /** Needed to wait; `undefined`: it is known to be in none. */
  readonly mapping: Mapping | undefined;
}

/**
 * A struct in its memory, whose fields are its properties.
 *
 * It owns nothing. When the mapping is closed the memory is empty, and every use of a field throws a `TypeError`.
 */
export class StructView {
  readonly #data: DataView;
  readonly #at: number;
  readonly #memory: Memory;
  #places: unknown[] | undefined;

  /** For the views of a struct; `at` is where it begins in the memory. */
  constructor(memory: Memory, at: number) {
    this.#data = memory.data;
    this.#at = at;
    this.#memory = memory;
  }

  /** @ignore */
  static readonly data = (view: StructView): DataView => view.#data;
  /** @ignore */
  static readonly place = (view: StructView): number => view.#at;
  /** @ignore */
  static readonly memory = (view: StructView): Memory => view.#memory;
  /** @ignore */
  static readonly places = (view: StructView): unknown[] => view.#places ??= [];
}

// Constants, since a call through a variable is slower.

/** What a view reads and writes through. */
export const dataOf: (view: StructView) => DataView = StructView.data;
/** Where a view begins in its data. */
export const placeOf: (view: StructView) => number = StructView.place;
const memoryOf = StructView.memory;
/** What a view has in the place of its fields, by their numbers, as far as somebody has asked for them. */
const placesOf = StructView.places;

/** The property of a field that is made when it is first asked for. */
export function placeProperty<Place>(
  layout: { place(memory: Memory, at: number): Place },
  at: number,
  name: string,
  index: number,
): PropertyDescriptor & ThisType<StructView> {
  return {
    get() {
      return placesOf(this)[index] ??= layout.place(memoryOf(this), placeOf(this) + at);
    },
    set() {
      throw new TypeError(`Cannot write ${name}: it is in place; write what is in it`);
    },
  };
}

/** A view of memory that must not be written, for that would end the process. */
function readOnlyData(data: DataView): DataView {
  const kinds = [
    "Int8",
    "Uint8",
    "Int16",
    "Uint16",
    "Int32",
    "Uint32",
    "Float32",
    "Float64",
    "BigInt64",
    "BigUint64",
  ];
  for (const kind of kinds) Object.defineProperty(data, `set${kind}`, { value: refuseToWrite });
  return data;
}

function refuseToWrite(): never {
  throw new TypeError("Cannot write into a struct whose mapping is for reading");
}

/** Throws if the memory is for reading. */
export function checkWritable(data: DataView): void {
  if (data.setInt8 === refuseToWrite) refuseToWrite();
}

/** The bytes of a field; throws if the memory has gone. */
export function bytesOf(data: DataView, at: number, length: number): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset + at, length);
}

/** Copies the bytes of a field that has no atomics. */
export function copyBytes(from: DataView, fromAt: number, to: DataView, toAt: number, length: number): void {
  bytesOf(to, toAt, length).set(bytesOf(from, fromAt, length));
}

/** Finds the memory for a struct, and where it begins there. */
export function locate(
  source: MemorySource,
  offset: number,
  layout: Layout,
  byteLength: (view: StructView) => number | undefined,
): { memory: Memory; at: number } {
  if (source instanceof StructView) {
    const memory = memoryOf(source);
    const at = placeOf(source) + offset;
    check(layout, offset, byteLength(source) ?? 0, memory.data.byteOffset + at);
    checkAddress(layout, memory.mapping, memory.offset + at);
    return { memory, at };
  }
  const mapping = source instanceof Mapping ? source : undefined;
  const whole = mapping === undefined ? wholeOf(source as ArrayBufferLike | ArrayBufferView) : mapping.bytes;
  const begin = whole.byteOffset + offset;
  check(layout, offset, whole.byteLength, begin);
  checkAddress(layout, mapping, offset);
  const data = new DataView(whole.buffer, begin, layout.byteLength);
  return { memory: { data: mapping?.readOnly ? readOnlyData(data) : data, offset, mapping }, at: 0 };
}

function wholeOf(source: ArrayBufferLike | ArrayBufferView): ArrayBufferView {
  if (ArrayBuffer.isView(source)) return source;
  if (source instanceof ArrayBuffer || source instanceof SharedArrayBuffer) return new Uint8Array(source);
  throw new TypeError("Cannot use a struct in what is no memory: it is a mapping, buffer or view");
}

function check(layout: Layout, offset: number, room: number, begin: number): void {
  const { name, byteLength, align } = layout;
  if (!(Number.isInteger(offset) && offset >= 0 && offset + byteLength <= room)) {
    throw new RangeError(
      `Cannot use ${name} at byte ${offset}: it has ${byteLength} bytes, the memory ${room}`,
    );
  }
  if (begin % align !== 0) throw misplaced(layout, offset);
}

/** A mapping of a part of a file may begin anywhere, and processors want atomics aligned. */
function checkAddress(layout: Layout, mapping: Mapping | undefined, offset: number): void {
  if (mapping === undefined || !layout.atomic) return;
  const start = Deno.UnsafePointer.value(Deno.UnsafePointer.of(mapping.bytes));
  if ((start + BigInt(offset)) % BigInt(layout.align) !== 0n) throw misplaced(layout, offset);
}

function misplaced({ name, align }: Layout, offset: number): RangeError {
  return new RangeError(`Cannot use ${name} at byte ${offset}: its place is not a multiple of ${align}`);
}
