/** What the compiler infers, and what it refuses: these lines are checked, and hardly run. */

import { assertEquals, assertThrows } from "@std/assert";
import {
  array,
  at,
  atomic,
  bool,
  bytes,
  chars,
  f32,
  f64,
  i8,
  Segment,
  struct,
  u16,
  u64,
  utf8,
  type Value,
  type View,
} from "./mod.ts";

const Inner = struct({ a: i8, b: bool });
const Outer = struct({
  n: f64,
  big: u64,
  text: utf8(8),
  tail: chars(8),
  raw: bytes(2),
  far: at(64, u16),
  seq: atomic.u32,
  total: atomic.i64,
  inner: Inner,
  many: array(Inner, 2),
  wave: array(f32, 4),
  grid: array(array(u16, 2), 2),
});

const memory = new ArrayBuffer(Outer.byteLength);
const value: Value<typeof Outer> = {
  n: 1,
  big: 2n,
  text: "t",
  tail: "u",
  raw: new Uint8Array(2),
  far: 3,
  seq: 4,
  total: 5n,
  inner: { a: 1, b: true },
  many: [{ a: 2, b: false }, { a: 3, b: true }],
  wave: [1, 2, 3, 4],
  grid: [[1, 2], [3, 4]],
};

/** Compiles only if both types are the same. */
function same<A, B>(
  ..._: (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? [] : [never]
): void {}

Deno.test("a view has the types of its fields", () => {
  Outer.write(memory, 0, value);
  const view: View<typeof Outer> = Outer.at(memory);
  same<typeof view.n, number>();
  same<typeof view.big, bigint>();
  same<typeof view.text, string>();
  same<typeof view.tail, string>();
  same<typeof view.raw, Uint8Array>();
  same<typeof view.far, number>();
  same<typeof view.inner.b, boolean>();
  same<Value<typeof Inner>, { a: number; b: boolean }>();
  const element = view.many.at(1);
  same<typeof element.a, number>();
  const wave = view.wave.typed();
  same<typeof wave, Float32Array<ArrayBufferLike>>();
  const cell = view.grid.at(1).at(0);
  same<typeof cell, number>();
  const seq = view.seq.load();
  same<typeof seq, number>();
  const total = view.total.load();
  same<typeof total, bigint>();
  same<Value<typeof Outer>["grid"], readonly (readonly number[])[]>();
  same<typeof Outer.fields.far.offset, number>();
  assertEquals([element.a, cell, seq, total, wave[3]], [3, 3, 4, 5n, 4]);
  assertEquals(Outer.read(memory), value);
});

Deno.test("what is of another type does not compile, and throws", () => {
  const view = Outer.at(memory);
  // @ts-expect-error: a number
  assertThrows(() => view.n = "1", TypeError);
  // @ts-expect-error: a bigint
  assertThrows(() => view.big = 1, TypeError);
  // @ts-expect-error: a number, in a struct in the struct
  assertThrows(() => view.inner.a = 1n, TypeError);
  // @ts-expect-error: no such field
  assertEquals(view.missing, undefined);
  // @ts-expect-error: structs are in place
  assertThrows(() => view.inner = { a: 1, b: true }, TypeError, "it is in place");
  // @ts-expect-error: atomics are in place
  assertThrows(() => view.seq = 1, TypeError, "it is in place");
  // @ts-expect-error: arrays are in place
  assertThrows(() => view.wave = [1, 2, 3, 4], TypeError, "it is in place");
  // @ts-expect-error: only 32 bits can be waited for
  assertThrows(() => view.total.wait(0n), TypeError);
  // @ts-expect-error: only of numbers there are typed arrays
  assertThrows(() => view.many.typed(), TypeError);
  // @ts-expect-error: an atomic of bigints
  assertThrows(() => view.total.add(1), TypeError);
  // @ts-expect-error: a field is missing
  assertThrows(() => Inner.write(memory, 0, { a: 1 }), TypeError);
  // @ts-expect-error: no field of a struct
  assertThrows(() => struct({ a: "u32" }), TypeError);
  // @ts-expect-error: what an array is of has no place of its own
  assertThrows(() => array(at(4, i8), 3), TypeError);
  assertEquals(Segment.byteLength(Outer) > Outer.byteLength, true);
});
