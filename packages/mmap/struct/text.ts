/** Bytes and text in memory. */

import { DecodeError } from "@ipc/core";
import { alignUp, checkCount, type Layout, shown, type ValueType, valueType } from "./_field.ts";
import { bytesOf, checkWritable, copyBytes, dataOf, placeOf, type StructView } from "./_memory.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

type Differences<Value> = Pick<
  Layout<Value, Value>,
  "name" | "byteLength" | "align" | "read" | "write" | "declare"
>;

function type<Value>(differences: Differences<Value>): ValueType<Value> {
  const { name, byteLength, read, write } = differences;
  return valueType<Value>({
    ...differences,
    atomic: false,
    copy: (from, fromAt, to, toAt) => copyBytes(from, fromAt, to, toAt, byteLength),
    property: (at, field): PropertyDescriptor & ThisType<StructView> => ({
      get() {
        return read(dataOf(this), placeOf(this) + at);
      },
      set(value: Value) {
        write(dataOf(this), placeOf(this) + at, value, field);
      },
    }),
    describe: (path, at, lines) => void lines.push({ path, at, type: name }),
  });
}

/**
 * So many bytes, no fewer and no more: `uint8_t data[length]` in C.
 *
 * Reading copies them; `array(u8, length)` is the same memory in place.
 *
 * @throws {RangeError} if `length` is not an integer from 1 to 2 ** 32.
 *
 * @example
 * ```ts
 * import { bytes, struct } from "@ipc/mmap/struct";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const Digest = struct({ sha: bytes(4) });
 * const digest = Digest.at(new ArrayBuffer(4));
 * digest.sha = new Uint8Array([1, 2, 3, 4]);
 * assertEquals(digest.sha[3], 4);
 * assertThrows(() => digest.sha = new Uint8Array(3), RangeError);
 * ```
 */
export function bytes(length: number): ValueType<Uint8Array> {
  checkCount(length, "bytes");
  return type<Uint8Array>({
    name: `bytes(${length})`,
    byteLength: length,
    align: 1,
    read: (data, at) => copy(data, at, length),
    write(data, at, value, name) {
      if (!(value instanceof Uint8Array)) {
        throw new TypeError(`Cannot write ${name}: it is a Uint8Array, and not ${shown(value)}`);
      }
      if (value.length !== length) {
        throw new RangeError(`Cannot write ${name}: it has ${length} bytes, and not ${value.length}`);
      }
      checkWritable(data);
      bytesOf(data, at, length).set(value);
    },
    declare: (name) => `uint8_t ${name}[${length}]`,
  });
}

/**
 * Text of at most so many bytes of UTF-8, and before it how many there are, so that any character can be in it, also
 * NUL: `struct { uint32_t length; char bytes[capacity]; }` in C.
 *
 * What does not fit is an error, and never cut. Reading bytes that are no UTF-8, or a length that is more than fits,
 * throws a `DecodeError`: others can write there too.
 *
 * @throws {RangeError} if `capacity` is not an integer from 1 to 2 ** 32.
 *
 * @example
 * ```ts
 * import { struct, utf8 } from "@ipc/mmap/struct";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const City = struct({ name: utf8(8) });
 * const city = City.at(new ArrayBuffer(City.byteLength));
 * city.name = "Zürich";
 * assertEquals([city.name, City.byteLength], ["Zürich", 12]);
 * assertThrows(() => city.name = "Düsseldorf", RangeError, "it has 11 bytes in UTF-8, 8 fit");
 * ```
 */
export function utf8(capacity: number): ValueType<string> {
  checkCount(capacity, "text");
  return type<string>({
    name: `utf8(${capacity})`,
    byteLength: alignUp(4 + capacity, 4),
    align: 4,
    read(data, at) {
      const length = data.getUint32(at, true);
      if (length <= capacity) return decode(copy(data, at + 4, length));
      throw new DecodeError(
        `Cannot read text: it should have ${length} bytes, ${capacity} fit`,
        copy(data, at + 4, capacity),
      );
    },
    write(data, at, value, name) {
      const encoded = encode(value, capacity, name);
      fill(data, at + 4, capacity, encoded);
      data.setUint32(at, encoded.length, true);
    },
    declare: (name) => `struct { uint32_t length; char bytes[${capacity}]; } ${name}`,
  });
}

/**
 * Text that a NUL ends, as C has it: `char text[length]` in C, of whose bytes the text can have all but one.
 *
 * What does not fit, or has a NUL in it, is an error, and never cut. Reading ends at the first NUL, or with the last
 * byte if there is none; bytes that are no UTF-8 throw a `DecodeError`.
 *
 * @throws {RangeError} if `length` is not an integer from 1 to 2 ** 32.
 *
 * @example
 * ```ts
 * import { chars, struct } from "@ipc/mmap/struct";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const Host = struct({ name: chars(8) });
 * const host = Host.at(new TextEncoder().encode("mail\0..."));
 * assertEquals(host.name, "mail");
 * assertThrows(() => host.name = "12345678", RangeError, "it has 8 bytes in UTF-8, 7 fit");
 * ```
 */
export function chars(length: number): ValueType<string> {
  checkCount(length, "text");
  return type<string>({
    name: `chars(${length})`,
    byteLength: length,
    align: 1,
    read(data, at) {
      const all = copy(data, at, length);
      const end = all.indexOf(0);
      return decode(end === -1 ? all : all.subarray(0, end));
    },
    write(data, at, value, name) {
      const encoded = encode(value, length - 1, name);
      if (encoded.includes(0)) {
        throw new RangeError(`Cannot write ${name}: it has a NUL in it, which would end it`);
      }
      fill(data, at, length, encoded);
    },
    declare: (name) => `char ${name}[${length}]`,
  });
}

/** Bytes that nobody changes any more. */
function copy(data: DataView, at: number, length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(bytesOf(data, at, length));
}

function decode(copied: Uint8Array<ArrayBuffer>): string {
  try {
    return decoder.decode(copied);
  } catch (cause) {
    throw new DecodeError("Cannot read text: it is no UTF-8", copied, { cause });
  }
}

function encode(value: string, room: number, name: string): Uint8Array {
  if (typeof value !== "string") {
    throw new TypeError(`Cannot write ${name}: it is a string, and not ${shown(value)}`);
  }
  if (!value.isWellFormed()) {
    throw new RangeError(`Cannot write ${name}: it has half a surrogate pair, which UTF-8 cannot say`);
  }
  const encoded = encoder.encode(value);
  if (encoded.length <= room) return encoded;
  throw new RangeError(`Cannot write ${name}: it has ${encoded.length} bytes in UTF-8, ${room} fit`);
}

/** Nothing is left of what was there. */
function fill(data: DataView, at: number, length: number, encoded: Uint8Array): void {
  checkWritable(data);
  const room = bytesOf(data, at, length);
  room.set(encoded);
  room.fill(0, encoded.length);
}
