/** Numbers, bytes and text: what fits, and what is refused. */

import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { DecodeError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../../core/testdata/child.ts";
import {
  array,
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
} from "./mod.ts";

leakCheck();

/** A struct in which the field `x` is at an odd place, and its memory from there on. */
function odd<Type extends Parameters<typeof struct>[0][string]>(type: Type) {
  const Odd = struct({ before: u8, x: type, after: u8 }, { packed: true });
  const memory = new Uint8Array(Odd.byteLength);
  return { view: Odd.at(memory) as unknown as { x: unknown }, memory };
}

for (
  const [name, type, bits, signed] of [
    ["i8", i8, 8, true],
    ["u8", u8, 8, false],
    ["i16", i16, 16, true],
    ["u16", u16, 16, false],
    ["i32", i32, 32, true],
    ["u32", u32, 32, false],
  ] as const
) {
  Deno.test(`${name} takes all that fit, and nothing else`, () => {
    const { view, memory } = odd(type);
    const least = signed ? -(2 ** (bits - 1)) : 0;
    const most = signed ? 2 ** (bits - 1) - 1 : 2 ** bits - 1;
    for (const value of [least, most, 0, 1, least + 1, most - 1]) {
      view.x = value;
      assertEquals(view.x, value);
      assertEquals([memory[0], memory.at(-1)], [0, 0]);
    }
    view.x = -0;
    assertStrictEquals(Object.is(view.x, 0), true);
    view.x = 1;
    for (const value of [least - 1, most + 1, 0.5, NaN, Infinity, -Infinity, 2 ** 53, 2 ** 32 + 1]) {
      assertThrows(() => view.x = value, RangeError, `Cannot write x: ${value} is not an integer from`);
    }
    for (const value of ["1", 1n, null, undefined, true, [1], { valueOf: () => 1 }]) {
      assertThrows(() => view.x = value, TypeError, "Cannot write x: it is a number, and not");
    }
    assertEquals(view.x, 1);
  });
}

for (
  const [name, type, least, most] of [
    ["i64", i64, -(2n ** 63n), 2n ** 63n - 1n],
    ["u64", u64, 0n, 2n ** 64n - 1n],
  ] as const
) {
  Deno.test(`${name} takes all bigints that fit, and nothing else`, () => {
    const { view } = odd(type);
    for (const value of [least, most, 0n, 1n, 2n ** 53n + 1n]) {
      view.x = value;
      assertEquals(view.x, value);
    }
    view.x = 1n;
    for (const value of [least - 1n, most + 1n, 2n ** 64n]) assertThrows(() => view.x = value, RangeError);
    for (const value of [1, "1", null, undefined, true]) assertThrows(() => view.x = value, TypeError);
    assertEquals(view.x, 1n);
  });
}

Deno.test("f64 and f32 take every number, and f32 those that it can round", () => {
  const { view } = odd(f64);
  for (const value of [NaN, -0, Infinity, -Infinity, Number.MIN_VALUE, Number.MAX_VALUE, 0.1]) {
    view.x = value;
    assert(Object.is(view.x, value), String(value));
  }
  const { view: short } = odd(f32);
  for (const value of [NaN, -0, Infinity, -Infinity, 0.1, 3.4028234663852886e38, 1e-50]) {
    short.x = value;
    assert(Object.is(short.x, Math.fround(value)), String(value));
  }
  for (const value of [1e39, -Number.MAX_VALUE]) assertThrows(() => short.x = value, RangeError);
  for (const value of [1n, "1", null, undefined]) {
    assertThrows(() => view.x = value, TypeError);
    assertThrows(() => short.x = value, TypeError);
  }
});

Deno.test("numbers are little-endian", () => {
  const { view, memory } = odd(u32);
  view.x = 0x01020304;
  assertEquals(memory, new Uint8Array([0, 4, 3, 2, 1, 0]));
});

Deno.test("bool is true for every byte but 0, and writes 1", () => {
  const { view, memory } = odd(bool);
  for (let byte = 0; byte < 256; byte++) {
    memory[1] = byte;
    assertEquals(view.x, byte !== 0);
  }
  view.x = true;
  assertEquals(memory[1], 1);
  for (const value of [1, 0, "", null, undefined]) assertThrows(() => view.x = value, TypeError);
});

Deno.test("bytes are as many as there are, and what is read is a copy", () => {
  const { view, memory } = odd(bytes(3));
  view.x = new Uint8Array([1, 2, 3]);
  const read = view.x as Uint8Array;
  memory[1] = 9;
  assertEquals([read, view.x], [new Uint8Array([1, 2, 3]), new Uint8Array([9, 2, 3])]);
  for (const length of [0, 2, 4]) assertThrows(() => view.x = new Uint8Array(length), RangeError);
  for (const value of [[1, 2, 3], "abc", new Int8Array(3), null, undefined]) {
    assertThrows(() => view.x = value, TypeError);
  }
});

for (const [name, type, room] of [["utf8", utf8(12), 12], ["chars", chars(13), 12]] as const) {
  Deno.test(`${name}: text that fits comes back, what does not is refused, never cut`, () => {
    const { view, memory } = odd(type);
    const encoder = new TextEncoder();
    const texts = fc.string({ unit: "binary", maxLength: 16 }).filter((text) => !text.includes("\0"));
    fc.assert(
      fc.property(texts, (text) => {
        memory.fill(0xff, 1, -1);
        view.x = "last";
        const length = encoder.encode(text).length;
        if (length <= room) {
          view.x = text;
          assertEquals(view.x, text);
          const rest = memory.subarray(name === "utf8" ? 5 + length : 1 + length, -1);
          assert(rest.every((byte) => byte === 0), "nothing is left of what was there");
        } else {
          assertThrows(() => view.x = text, RangeError, `it has ${length} bytes in UTF-8, ${room} fit`);
          assertEquals(view.x, "last");
        }
        assertEquals([memory[0], memory.at(-1)], [0, 0]);
      }),
      { numRuns: scaled(2000) },
    );
    for (const value of ["\ud800", "a\udc00", "\udc00\ud800"]) {
      assertThrows(() => view.x = value, RangeError, "half a surrogate pair");
    }
    for (const value of [1, null, undefined, new Uint8Array(1)]) {
      assertThrows(() => view.x = value, TypeError);
    }
    view.x = "\ufeffmark";
    assertEquals(view.x, "\ufeffmark");
  });

  Deno.test(`${name}: bytes that are no UTF-8 are a DecodeError with those bytes`, () => {
    const { view, memory } = odd(type);
    const begin = name === "utf8" ? 5 : 1;
    for (
      const wrong of [[0xff], [0xc3], [0xe2, 0x82], [0xc0, 0x80], [0xed, 0xa0, 0x80], [
        0xf5,
        0x80,
        0x80,
        0x80,
      ]]
    ) {
      view.x = "a".repeat(wrong.length);
      memory.set(wrong, begin);
      const error = assertThrows(() => view.x, DecodeError, "Cannot read text: it is no UTF-8");
      assertEquals(error.data, new Uint8Array(wrong));
    }
  });
}

Deno.test("utf8 has NULs in it, chars ends at one", () => {
  const { view } = odd(utf8(4));
  view.x = "a\0b\0";
  assertEquals(view.x, "a\0b\0");
  const { view: short, memory } = odd(chars(4));
  assertThrows(() => short.x = "a\0", RangeError, "it has a NUL in it");
  memory.set([0x61, 0x62, 0x63, 0x64], 1);
  assertEquals(short.x, "abcd");
  memory[2] = 0;
  assertEquals(short.x, "a");
});

Deno.test("utf8: a length that is more than fits is a DecodeError, and no byte beyond is read", () => {
  const { view, memory } = odd(utf8(4));
  for (const length of [5, 6, 2 ** 31, 2 ** 32 - 1]) {
    new DataView(memory.buffer).setUint32(1, length, true);
    const error = assertThrows(() => view.x, DecodeError, `it should have ${length} bytes, 4 fit`);
    assertEquals((error.data as Uint8Array).length, 4);
  }
});

Deno.test("arrays: elements, and what is none", () => {
  const Row = struct({ before: u8, cells: array(i16, 3), names: array(chars(3), 2) }, { packed: true });
  const memory = new ArrayBuffer(Row.byteLength);
  const { cells, names } = Row.at(memory);
  cells.set(2, -5);
  names.set(1, "ab");
  assertEquals([[...cells], [...names], cells.length], [[0, 0, -5], ["", "ab"], 3]);
  for (const index of [-1, 3, 0.5, NaN, 2 ** 32, "1" as unknown as number]) {
    assertThrows(() => cells.at(index), RangeError, "there are 3, from 0");
    assertThrows(() => cells.set(index, 1), RangeError);
  }
  assertThrows(() => cells.set(0, 40_000), RangeError);
  assertThrows(() => cells.typed(), RangeError);
  assertThrows(
    () => Row.write(memory, 0, { before: 1, cells: [1, 2], names: ["", ""] }),
    RangeError,
    "3 elements",
  );
  const whole = new Uint8Array(memory);
  const before = whole.slice();
  assertThrows(() => Row.write(memory, 0, { before: 1, cells: [1, 2, 3], names: ["", "abc"] }), RangeError);
  assertEquals(whole, before, "nothing is written if one value does not fit");
});
