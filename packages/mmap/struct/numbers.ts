/** Numbers in memory, little-endian. */

import { type Layout, refuse, type ValueType, valueType } from "./_field.ts";
import { dataOf, placeOf, type StructView } from "./_memory.ts";

/** A number, of which arrays can be had as a typed array. */
export interface NumberType<Value, Typed> extends ValueType<Value> {
  /** The typed array. */
  readonly typed: new (buffer: ArrayBufferLike, offset: number, length: number) => Typed;
}

/** What differs between numbers. */
interface Kind<Value, Typed> extends Pick<Layout<Value, Value>, "name" | "read" | "write"> {
  readonly c: string;
  readonly typed: NumberType<Value, Typed>["typed"] & { readonly BYTES_PER_ELEMENT: number };
  readonly property: (at: number, name: string) => PropertyDescriptor & ThisType<StructView>;
}

function numberType<Value, Typed>({ c, typed, ...kind }: Kind<Value, Typed>): NumberType<Value, Typed> {
  const { BYTES_PER_ELEMENT: size } = typed;
  const layout: Layout<Value, Value> = {
    ...kind,
    byteLength: size,
    align: size,
    atomic: false,
    declare: (name) => `${c} ${name}`,
    describe: (path, at, lines) => void lines.push({ path, at, type: kind.name }),
  };
  return Object.freeze({ ...valueType(layout), typed });
}

// Every kind has functions of its own, for a function that all share is several times slower.

/** An 8-bit integer: `int8_t` in C. */
export const i8: NumberType<number, Int8Array<ArrayBufferLike>> = numberType({
  name: "i8",
  c: "int8_t",
  typed: Int8Array,
  read: (data: DataView, at: number) => data.getInt8(at),
  write: writeI8,
  property: (at: number, name: string): PropertyDescriptor & ThisType<StructView> => ({
    get() {
      return dataOf(this).getInt8(placeOf(this) + at);
    },
    set(value: number) {
      writeI8(dataOf(this), placeOf(this) + at, value, name);
    },
  }),
});

function writeI8(data: DataView, at: number, value: number, name: string): void {
  if (typeof value !== "number" || (value << 24 >> 24) !== value) {
    refuse(name, value, "number", "an integer from -128 to 127");
  }
  data.setInt8(at, value);
}

/** An unsigned 8-bit integer: `uint8_t` in C. */
export const u8: NumberType<number, Uint8Array<ArrayBufferLike>> = numberType({
  name: "u8",
  c: "uint8_t",
  typed: Uint8Array,
  read: (data: DataView, at: number) => data.getUint8(at),
  write: writeU8,
  property: (at: number, name: string): PropertyDescriptor & ThisType<StructView> => ({
    get() {
      return dataOf(this).getUint8(placeOf(this) + at);
    },
    set(value: number) {
      writeU8(dataOf(this), placeOf(this) + at, value, name);
    },
  }),
});

function writeU8(data: DataView, at: number, value: number, name: string): void {
  if (typeof value !== "number" || (value & 0xff) !== value) {
    refuse(name, value, "number", "an integer from 0 to 255");
  }
  data.setUint8(at, value);
}

/** A 16-bit integer: `int16_t` in C. */
export const i16: NumberType<number, Int16Array<ArrayBufferLike>> = numberType({
  name: "i16",
  c: "int16_t",
  typed: Int16Array,
  read: (data: DataView, at: number) => data.getInt16(at, true),
  write: writeI16,
  property: (at: number, name: string): PropertyDescriptor & ThisType<StructView> => ({
    get() {
      return dataOf(this).getInt16(placeOf(this) + at, true);
    },
    set(value: number) {
      writeI16(dataOf(this), placeOf(this) + at, value, name);
    },
  }),
});

function writeI16(data: DataView, at: number, value: number, name: string): void {
  if (typeof value !== "number" || (value << 16 >> 16) !== value) {
    refuse(name, value, "number", "an integer from -32768 to 32767");
  }
  data.setInt16(at, value, true);
}

/** An unsigned 16-bit integer: `uint16_t` in C. */
export const u16: NumberType<number, Uint16Array<ArrayBufferLike>> = numberType({
  name: "u16",
  c: "uint16_t",
  typed: Uint16Array,
  read: (data: DataView, at: number) => data.getUint16(at, true),
  write: writeU16,
  property: (at: number, name: string): PropertyDescriptor & ThisType<StructView> => ({
    get() {
      return dataOf(this).getUint16(placeOf(this) + at, true);
    },
    set(value: number) {
      writeU16(dataOf(this), placeOf(this) + at, value, name);
    },
  }),
});

function writeU16(data: DataView, at: number, value: number, name: string): void {
  if (typeof value !== "number" || (value & 0xffff) !== value) {
    refuse(name, value, "number", "an integer from 0 to 65535");
  }
  data.setUint16(at, value, true);
}

/** A 32-bit integer: `int32_t` in C. */
export const i32: NumberType<number, Int32Array<ArrayBufferLike>> = numberType({
  name: "i32",
  c: "int32_t",
  typed: Int32Array,
  read: (data: DataView, at: number) => data.getInt32(at, true),
  write: writeI32,
  property: (at: number, name: string): PropertyDescriptor & ThisType<StructView> => ({
    get() {
      return dataOf(this).getInt32(placeOf(this) + at, true);
    },
    set(value: number) {
      writeI32(dataOf(this), placeOf(this) + at, value, name);
    },
  }),
});

function writeI32(data: DataView, at: number, value: number, name: string): void {
  if (typeof value !== "number" || (value | 0) !== value) {
    refuse(name, value, "number", "an integer from -(2 ** 31) to 2 ** 31 - 1");
  }
  data.setInt32(at, value, true);
}

/** An unsigned 32-bit integer: `uint32_t` in C. */
export const u32: NumberType<number, Uint32Array<ArrayBufferLike>> = numberType({
  name: "u32",
  c: "uint32_t",
  typed: Uint32Array,
  read: (data: DataView, at: number) => data.getUint32(at, true),
  write: writeU32,
  property: (at: number, name: string): PropertyDescriptor & ThisType<StructView> => ({
    get() {
      return dataOf(this).getUint32(placeOf(this) + at, true);
    },
    set(value: number) {
      writeU32(dataOf(this), placeOf(this) + at, value, name);
    },
  }),
});

function writeU32(data: DataView, at: number, value: number, name: string): void {
  if (typeof value !== "number" || value >>> 0 !== value) {
    refuse(name, value, "number", "an integer from 0 to 2 ** 32 - 1");
  }
  data.setUint32(at, value, true);
}

/** A 64-bit integer, as a bigint: `int64_t` in C. */
export const i64: NumberType<bigint, BigInt64Array<ArrayBufferLike>> = numberType({
  name: "i64",
  c: "int64_t",
  typed: BigInt64Array,
  read: (data: DataView, at: number) => data.getBigInt64(at, true),
  write: writeI64,
  property: (at: number, name: string): PropertyDescriptor & ThisType<StructView> => ({
    get() {
      return dataOf(this).getBigInt64(placeOf(this) + at, true);
    },
    set(value: bigint) {
      writeI64(dataOf(this), placeOf(this) + at, value, name);
    },
  }),
});

function writeI64(data: DataView, at: number, value: bigint, name: string): void {
  if (typeof value !== "bigint" || BigInt.asIntN(64, value) !== value) {
    refuse(name, value, "bigint", "an integer from -(2 ** 63) to 2 ** 63 - 1");
  }
  data.setBigInt64(at, value, true);
}

/** An unsigned 64-bit integer, as a bigint: `uint64_t` in C. */
export const u64: NumberType<bigint, BigUint64Array<ArrayBufferLike>> = numberType({
  name: "u64",
  c: "uint64_t",
  typed: BigUint64Array,
  read: (data: DataView, at: number) => data.getBigUint64(at, true),
  write: writeU64,
  property: (at: number, name: string): PropertyDescriptor & ThisType<StructView> => ({
    get() {
      return dataOf(this).getBigUint64(placeOf(this) + at, true);
    },
    set(value: bigint) {
      writeU64(dataOf(this), placeOf(this) + at, value, name);
    },
  }),
});

function writeU64(data: DataView, at: number, value: bigint, name: string): void {
  if (typeof value !== "bigint" || BigInt.asUintN(64, value) !== value) {
    refuse(name, value, "bigint", "an integer from 0 to 2 ** 64 - 1");
  }
  data.setBigUint64(at, value, true);
}

/** A number of 32 bits, to which others are rounded: `float` in C. */
export const f32: NumberType<number, Float32Array<ArrayBufferLike>> = numberType({
  name: "f32",
  c: "float",
  typed: Float32Array,
  read: (data: DataView, at: number) => data.getFloat32(at, true),
  write: writeF32,
  property: (at: number, name: string): PropertyDescriptor & ThisType<StructView> => ({
    get() {
      return dataOf(this).getFloat32(placeOf(this) + at, true);
    },
    set(value: number) {
      writeF32(dataOf(this), placeOf(this) + at, value, name);
    },
  }),
});

function writeF32(data: DataView, at: number, value: number, name: string): void {
  if (typeof value !== "number" || Math.abs(Math.fround(value) - value) === Infinity) {
    refuse(name, value, "number", "a number of 32 bits");
  }
  data.setFloat32(at, value, true);
}

/** A number: `double` in C. */
export const f64: NumberType<number, Float64Array<ArrayBufferLike>> = numberType({
  name: "f64",
  c: "double",
  typed: Float64Array,
  read: (data: DataView, at: number) => data.getFloat64(at, true),
  write: writeF64,
  property: (at: number, name: string): PropertyDescriptor & ThisType<StructView> => ({
    get() {
      return dataOf(this).getFloat64(placeOf(this) + at, true);
    },
    set(value: number) {
      writeF64(dataOf(this), placeOf(this) + at, value, name);
    },
  }),
});

function writeF64(data: DataView, at: number, value: number, name: string): void {
  if (typeof value !== "number") refuse(name, value, "number", "a number");
  data.setFloat64(at, value, true);
}

/** A byte that is true unless it is 0: `bool` in C. */
export const bool: ValueType<boolean> = valueType<boolean>({
  name: "bool",
  byteLength: 1,
  align: 1,
  atomic: false,
  read: (data, at) => data.getUint8(at) !== 0,
  write: writeBool,
  property: (at, name): PropertyDescriptor & ThisType<StructView> => ({
    get() {
      return dataOf(this).getUint8(placeOf(this) + at) !== 0;
    },
    set(value: boolean) {
      writeBool(dataOf(this), placeOf(this) + at, value, name);
    },
  }),
  declare: (name) => `bool ${name}`,
  describe: (path, at, lines) => void lines.push({ path, at, type: "bool" }),
});

function writeBool(data: DataView, at: number, value: boolean, name: string): void {
  if (typeof value !== "boolean") refuse(name, value, "boolean", "a bool");
  data.setUint8(at, value ? 1 : 0);
}
