/**
 * Structs in memory: the fields of C's, read and written in place.
 *
 * {@linkcode struct} makes one of its fields: numbers, {@linkcode bool}, {@linkcode bytes}, {@linkcode utf8} and
 * {@linkcode chars}, {@linkcode array}s, {@linkcode atomic}s and other structs. A view of one in a mapping is no copy:
 * what is assigned to a field is in the memory, for every process that has it mapped. {@linkcode Segment} puts a header
 * before it, so that nobody takes it for something else.
 *
 * Two processes that write at once, or one that reads what another writes, see some fields as they were and some as
 * they are: atomics order that, and locks.
 *
 * Needs `--allow-ffi` where there are mappings, and nothing in memory of the runtime's own.
 *
 * @example
 * ```ts
 * import { createMemfd } from "@ipc/mmap";
 * import { array, atomic, f32, f64, Segment, struct, utf8 } from "@ipc/mmap/struct";
 * import { assertEquals } from "@std/assert";
 *
 * const Point = struct({ seq: atomic.u32, x: f64, y: f64, name: utf8(32), history: array(f32, 64) });
 * using memory = createMemfd("point", Segment.byteLength(Point));
 * using mapping = memory.map();
 * const { view } = Segment.create(mapping, Point);
 * view.x = 1.5;
 * view.seq.add(1);
 *
 * using there = memory.map(); // in another process, as a rule
 * assertEquals(Segment.attach(there, Point).view.x, 1.5);
 * ```
 *
 * @module
 */

export type { FieldType, PlaceType, ValueType } from "./_field.ts";
export { type MemorySource, StructView } from "./_memory.ts";
export * from "./array.ts";
export * from "./atomic.ts";
export * from "./numbers.ts";
export * from "./segment.ts";
export { at, struct } from "./struct.ts";
export type {
  FieldPlace,
  Fields,
  Placed,
  StructOptions,
  StructType,
  Value,
  ValueOf,
  View,
  ViewOf,
} from "./struct.ts";
export * from "./text.ts";
