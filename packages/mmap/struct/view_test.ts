/** Where structs can lie, and what becomes of views when the memory goes. */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { ClosedError } from "@ipc/core";
import { Mapping } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { createMemfd } from "../create_memfd.ts";
import { MappedFile } from "../mapped_file.ts";
import { answer } from "../../core/testdata/process.ts";
import { OwnFile } from "../testdata/own_file.ts";
import {
  array,
  atomic,
  bool,
  bytes,
  chars,
  f32,
  f64,
  i16,
  i32,
  i64,
  i8,
  struct,
  u16,
  u32,
  u64,
  u8,
  utf8,
  type Value,
  type View,
} from "./mod.ts";

leakCheck();

const Inner = struct({ a: u8, b: f64 }, { name: "inner" });
const All = struct({
  i8,
  u8,
  i16,
  u16,
  i32,
  u32,
  i64,
  u64,
  f32,
  f64,
  bool,
  bytes: bytes(4),
  utf8: utf8(4),
  chars: chars(4),
  seq: atomic.u32,
  total: atomic.u64,
  inner: Inner,
  many: array(Inner, 2),
  wave: array(f32, 4),
}, { name: "all" });

const value: Value<typeof All> = {
  i8: -1,
  u8: 2,
  i16: -3,
  u16: 4,
  i32: -5,
  u32: 6,
  i64: -7n,
  u64: 8n,
  f32: 0.5,
  f64: -0.25,
  bool: true,
  bytes: new Uint8Array([1, 2, 3, 4]),
  utf8: "é",
  chars: "abc",
  seq: 9,
  total: 10n,
  inner: { a: 11, b: 12 },
  many: [{ a: 13, b: 14 }, { a: 15, b: 16 }],
  wave: [1, 2, 3, 4],
};

type AllView = View<typeof All>;

/** Everything that reads. */
function readers(view: AllView): (() => unknown)[] {
  const { seq, total, inner, many, wave } = view;
  const names = Object.keys(All.fields) as (keyof typeof All.fields)[];
  const plain = names.filter((name) => !["seq", "total", "inner", "many", "wave"].includes(name));
  return [
    ...plain.map((name) => () => view[name]),
    () => seq.load(),
    () => total.load(),
    () => inner.a,
    () => inner.b,
    () => many.at(1).a,
    () => wave.at(3),
    () => [...wave],
    () => wave.typed(),
    () => All.read(view),
    () => Inner.read(inner),
  ];
}

/** Everything that writes. */
function writers(view: AllView): (() => unknown)[] {
  const { seq, total, inner, many, wave } = view;
  const target = view as unknown as Record<string, unknown>;
  const source = value as Record<string, unknown>;
  const plain = Object.keys(source).filter((name) =>
    !["seq", "total", "inner", "many", "wave"].includes(name)
  );
  return [
    ...plain.map((name) => () => target[name] = source[name]),
    () => seq.store(1),
    () => seq.add(1),
    () => seq.sub(1),
    () => seq.and(1),
    () => seq.or(1),
    () => seq.xor(1),
    () => seq.exchange(1),
    () => seq.compareExchange(1, 2),
    () => seq.notify(),
    () => total.store(1n),
    () => inner.a = 1,
    () => many.at(1).b = 2,
    () => many.set(0, { a: 1, b: 2 }),
    () => wave.set(3, 1),
    () => All.write(view, 0, value),
    () => Inner.write(inner, 0, { a: 1, b: 2 }),
  ];
}

Deno.test("a struct in a mapping is there for all who have it mapped", () => {
  using memory = createMemfd("ipc-struct", 4096);
  using mapping = memory.map();
  using there = memory.map({ access: "read" });
  All.write(mapping, 64, value);
  assertEquals(All.read(there, 64), value);
  const view = All.at(mapping, 64);
  const seen = All.at(there, 64);
  view.many.at(1).b = 0.75;
  view.total.add(5n);
  view.utf8 = "ü";
  assertEquals([seen.many.at(1).b, seen.total.load(), seen.utf8], [0.75, 15n, "ü"]);
  for (const write of writers(view)) write();
  assertEquals(All.read(there, 64), { ...value, inner: { a: 1, b: 2 } });
});

Deno.test("after the mapping is closed every use throws a TypeError, and reads nothing", () => {
  const mapping = Mapping.anonymous(4096);
  All.write(mapping, 0, value);
  const view = All.at(mapping);
  const untouched = All.at(mapping);
  for (const read of readers(view)) assert(read() !== undefined);
  const uses = [...readers(view), ...writers(view), () => untouched.inner.a, () => untouched.seq.load()];
  mapping.close();
  for (const use of uses) assertThrows(use, TypeError, undefined, use.toString());
  assertThrows(() => All.at(mapping), ClosedError);
  assertThrows(() => All.read(mapping), ClosedError);
  assertEquals(Deno.inspect(view), "all (closed)");
  assertEquals(Deno.inspect(view.seq), "(closed)");
});

Deno.test("after memory that grew every use of an older view throws a TypeError", () => {
  using own = new OwnFile();
  using file = MappedFile.open(own.path, { create: true, size: 4096 });
  const view = All.at(file);
  const uses = [...readers(view), ...writers(view)];
  file.grow(8192);
  for (const use of uses) assertThrows(use, TypeError, undefined, use.toString());
  All.at(file).u32 = 5;
  assertEquals(All.at(file).u32, 5);
});

Deno.test("in a mapping for reading everything is read, and nothing written", () => {
  using memory = createMemfd("ipc-struct", 4096);
  using mapping = memory.map();
  All.write(mapping, 0, value);
  using there = memory.map({ access: "read" });
  const view = All.at(there);
  for (const read of readers(view)) assert(read() !== undefined);
  for (const write of writers(view)) assertThrows(write, TypeError, "for reading", write.toString());
  assertEquals(All.read(mapping), value);
});

Deno.test("memory of the runtime's own, parts of it, shared memory, and views are memory too", () => {
  const buffer = new ArrayBuffer(1024);
  const shared = new SharedArrayBuffer(1024);
  for (
    const memory of [
      buffer,
      shared,
      new Uint8Array(buffer, 8),
      new DataView(buffer, 16, 1000),
      new Float64Array(buffer),
    ]
  ) {
    All.write(memory, 8, value);
    assertEquals(All.read(memory, 8), value);
  }
  All.write(buffer, 0, value);
  const view = All.at(buffer);
  Inner.write(view.inner, 0, { a: 1, b: 2 });
  assertEquals(Inner.read(view.inner), { a: 1, b: 2 });
  assertEquals(struct({ b: f64 }).at(view.inner, 8).b, 2);
  assertEquals(Inner.at(view.many.at(1)).b, 16);
  assertThrows(() => Inner.at(view.inner, 8), RangeError, "it has 16 bytes, the memory 16");
  for (const nothing of [undefined, null, {}, [], "memory"]) {
    assertThrows(() => All.at(nothing as unknown as ArrayBuffer), TypeError, "what is no memory");
  }
});

Deno.test("a struct that is not all inside, or not aligned, is refused", () => {
  using mapping = Mapping.anonymous(4096);
  const memories = [mapping, new ArrayBuffer(4096), new Uint8Array(new ArrayBuffer(8192), 4096)];
  for (const memory of memories) {
    const last = 4096 - All.byteLength;
    All.at(memory, last - last % 8);
    for (const offset of [-8, 4096 - All.byteLength + 8, 4096, 0.5, NaN, Infinity, 2 ** 53]) {
      assertThrows(() => All.at(memory, offset), RangeError, "Cannot use all at byte");
    }
    for (const offset of [1, 2, 4]) {
      assertThrows(() => All.at(memory, offset), RangeError, "not a multiple of 8");
    }
    struct({ a: u8, b: u64 }, { packed: true }).at(memory, 3).b = 5n;
  }
  assertThrows(() => Inner.at(new Uint8Array(new ArrayBuffer(64), 4)), RangeError, "not a multiple of 8");
});

Deno.test("atomics have to be aligned in memory, wherever the mapping begins", () => {
  using own = new OwnFile();
  using file = MappedFile.open(own.path, { create: true, size: 4096 });
  const Counter = struct({ hits: atomic.u64 });
  using odd = file.window(4, 100);
  assertThrows(() => Counter.at(odd), RangeError, "not a multiple of 8");
  assertThrows(() => Counter.at(odd, 4), RangeError, "not a multiple of 8");
  const Small = struct({ hits: atomic.u32 });
  Small.at(odd, 8).hits.add(3);
  assertEquals(Small.at(file, 12).hits.load(), 3);
  using even = file.window(16, 100);
  Counter.at(even, 8).hits.add(3n);
  assertEquals(Counter.at(file, 24).hits.load(), 3n);
  const Bytes = struct({ all: array(u8, 100) });
  assertThrows(() => Counter.at(Bytes.at(odd)), RangeError, "not a multiple of 8");
  Counter.at(Bytes.at(even), 8).hits.add(1n);
  assertEquals(Counter.at(file, 24).hits.load(), 4n);
});

Deno.test("what is in place is made once, and shows its values", () => {
  const view = All.at(new ArrayBuffer(All.byteLength));
  assertStrictEquals(view.inner, view.inner);
  assertStrictEquals(view.seq, view.seq);
  view.inner.b = 0.5;
  assertEquals(Deno.inspect(view.inner), "inner { a: 0, b: 0.5 }");
  assertEquals(Deno.inspect(struct({ seq: atomic.u32 }).at(new ArrayBuffer(4))), "struct { seq: Atomic 0 }");
  view.utf8 = "x";
  assert(Deno.inspect(view).startsWith("all {"));
});

Deno.test("fields may be called as anything that a name can be", () => {
  const names = [
    "constructor",
    "toString",
    "hasOwnProperty",
    "at",
    "read",
    "write",
    "length",
    "offset",
    "type",
    "fields",
  ];
  const Odd = struct(Object.fromEntries(names.map((name) => [name, u8])));
  const view = Odd.at(new ArrayBuffer(Odd.byteLength));
  for (const [index, name] of names.entries()) view[name] = index + 1;
  assertEquals(Odd.read(view), Object.fromEntries(names.map((name, index) => [name, index + 1])));
});

Deno.test("structs in memory of the runtime's own take no permission", async () => {
  const source = `
    import { array, atomic, struct, u8 } from ${JSON.stringify(import.meta.resolve("./mod.ts"))};
    const Row = struct({ cells: array(u8, 3), hits: atomic.u32 });
    const row = Row.at(new ArrayBuffer(8));
    row.hits.add(5);
    row.cells.set(1, 2);
    console.log(JSON.stringify(Row.read(row)));`;
  assertEquals(await answer(source, { flags: [] }), { cells: [0, 2, 0], hits: 5 });
});

Deno.test("a value is read once: one that changes meanwhile is written as it was first, or not at all", () => {
  const Inner = struct({ n: atomic.u32, text: utf8(3) });
  const Pair = struct({ a: u8, b: u8, list: array(u8, 3), inners: array(Inner, 2) });
  const memory = new ArrayBuffer(Pair.byteLength);
  let reads = 0;
  const rest = { list: [1, 2, 3], inners: [{ n: 1, text: "abc" }, { n: 2, text: "" }] };
  Pair.write(memory, 0, {
    a: 7,
    get b() {
      return reads++ === 0 ? 1 : 300;
    },
    ...rest,
  });
  assertEquals([reads, Pair.read(memory)], [1, { a: 7, b: 1, ...rest }]);
  // Reading one value writes another of the same struct.
  const other = new ArrayBuffer(Pair.byteLength);
  Pair.write(memory, 0, {
    a: 8,
    get b() {
      Pair.write(other, 0, { a: 99, b: 99, ...rest, list: [9, 9, 9] });
      return 2;
    },
    ...rest,
  });
  assertEquals([Pair.read(memory), Pair.read(other).a], [{ a: 8, b: 2, ...rest }, 99]);
});

Deno.test("what is no array is refused where there is to be one, as what is no number is", () => {
  const Lists = struct({ texts: array(utf8(4), 3) });
  const memory = new ArrayBuffer(Lists.byteLength);
  for (const texts of [undefined, null, "abc", 3, { a: 1 }] as never[]) {
    assertThrows(() => Lists.write(memory, 0, { texts }), TypeError, "Cannot write texts: it is an array");
  }
  assertThrows(() => Lists.write(memory, 0, { texts: ["a"] }), RangeError, "it has 3 elements, and not 1");
});
