/** Offsets and sizes are those of the C compiler. */

import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { leakCheck } from "@ipc/core/testing";
import { compile, has, scaled } from "../../core/testdata/child.ts";
import * as own from "./mod.ts";
import { schema } from "./testdata/schemas.ts";

leakCheck();

const ignore = !has("cc");

async function withFolder(test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "ipc-struct-" });
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function run(program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args, stdin: "null" }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** Offsets of all fields and the size, as we have them. */
function places(type: Pick<own.StructType, "byteLength"> & { fields: object }): string {
  return [...Object.values<own.FieldPlace>({ ...type.fields }).map(({ offset }) => offset), type.byteLength]
    .join(" ");
}

Deno.test(
  "cc lays hundreds of random structs out in the same way",
  { ignore },
  () =>
    withFolder(async (folder) => {
      const types = fc.sample(schema(), { numRuns: scaled(3000), seed: 6 }).map(({ type }) => type);
      assert(types.some(({ fields }) => Object.values(fields).some(({ type }) => type.includes("["))));
      const source = types.map((type, index) => {
        const tag = `s${index}`;
        const offsets = Object.keys(type.fields).map((name) =>
          `printf("%zu ", offsetof(struct ${tag}, ${name}));`
        );
        return `${type.toC(tag)}
        static void show_${tag}(void) { ${offsets.join(" ")} printf("%zu\\n", sizeof(struct ${tag})); }`;
      }).join("\n");
      const calls = types.map((_, index) => `show_s${index}();`).join("\n");
      const program = await compile(
        folder,
        "offsets",
        `#include <stdio.h>\n${source}\nint main(void) { ${calls} return 0; }`,
        ["-std=c11", "-Wall", "-Wextra", "-Werror", "-O0"],
      );
      assertEquals((await run(program)).trim().split("\n"), types.map(places));
    }),
);

Deno.test(
  "structs written by hand in C have the same offsets",
  { ignore },
  () =>
    withFolder(async (folder) => {
      const source = `
      #include <stdbool.h>
      #include <stddef.h>
      #include <stdint.h>
      #include <stdio.h>
      struct inner { uint8_t a; double b; bool c; };
      struct outer {
        int8_t i8; uint64_t u64; int16_t i16; float f32; struct inner one; uint8_t u8; struct inner many[3];
        char name[5]; uint16_t u16; uint8_t raw[7]; int32_t grid[2][3]; bool flag; int64_t i64; uint32_t u32;
      };
      struct packed { int8_t i8; uint64_t u64; struct inner one; uint16_t u16; } __attribute__((packed));
      #define O(type, field) printf("%zu ", offsetof(struct type, field))
      int main(void) {
        O(outer, i8); O(outer, u64); O(outer, i16); O(outer, f32); O(outer, one); O(outer, u8); O(outer, many);
        O(outer, name); O(outer, u16); O(outer, raw); O(outer, grid); O(outer, flag); O(outer, i64); O(outer, u32);
        printf("%zu\\n", sizeof(struct outer));
        O(packed, i8); O(packed, u64); O(packed, one); O(packed, u16);
        printf("%zu\\n", sizeof(struct packed));
        return 0;
      }`;
      const { array, bool, bytes, chars, f32, f64, i16, i32, i64, i8, struct, u16, u32, u64, u8 } = own;
      const inner = struct({ a: u8, b: f64, c: bool });
      const outer = struct({
        i8,
        u64,
        i16,
        f32,
        one: inner,
        u8,
        many: array(inner, 3),
        name: chars(5),
        u16,
        raw: bytes(7),
        grid: array(array(i32, 3), 2),
        flag: bool,
        i64,
        u32,
      });
      const packed = struct({ i8, u64, one: inner, u16 }, { packed: true });
      const program = await compile(folder, "offsets", source);
      assertEquals(
        (await run(program)).trim().split("\n"),
        [places(outer), places(packed)],
      );
    }),
);

Deno.test(
  "the assertions of toC() stop a compiler that has another layout",
  { ignore },
  () =>
    withFolder(async (folder) => {
      const code = own.struct({ a: own.u8, b: own.u32 }, { name: "pair" }).toC();
      await compile(folder, "right", `${code}int main(void) { return 0; }`, ["-Werror"]);
      const wrong = code.replace("uint8_t a;", "uint8_t a[5];");
      assert(wrong !== code);
      await assertRejects(
        () => compile(folder, "wrong", `${wrong}int main(void) { return 0; }`),
        Error,
        "offset of b",
      );
    }),
);

Deno.test(
  "declarations of structs that share one can be in one file, if it is the same",
  { ignore },
  () =>
    withFolder(async (folder) => {
      const { struct, u32, u8 } = own;
      const Inner = struct({ a: u8 }, { name: "inner" });
      const One = struct({ inner: Inner }, { name: "one" });
      const two = struct({ b: u32, inner: Inner }).toC("two");
      const main = "int main(void) { return 0; }";
      const flags = ["-Wall", "-Wextra", "-Werror"];
      await compile(folder, "same", [Inner.toC(), One.toC(), One.toC(), two, main].join("\n"), flags);
      const other = struct({ inner: struct({ a: u8, b: u8 }, { name: "inner" }) }).toC("three");
      const mixed = [One.toC(), other, main].join("\n");
      await assertRejects(() => compile(folder, "mixed", mixed, flags), Error, "size of struct inner");
    }),
);

Deno.test("toC() names nested structs, gaps, and the fingerprint", () => {
  const { array, at, struct, u32, u8 } = own;
  const Inner = struct({ x: u8 }, { name: "inner" });
  const Outer = struct({
    gap_1: u8,
    one: Inner,
    two: struct({ y: u8 }),
    far: at(16, u32),
    many: array(Inner, 2),
  });
  const code = Outer.toC("outer");
  assertStringIncludes(
    code,
    `#define OUTER_FINGERPRINT UINT64_C(0x${Outer.fingerprint.toString(16).padStart(16, "0")})`,
  );
  assertStringIncludes(code, "  struct inner one;\n  struct outer_two two;\n");
  assertStringIncludes(code, "  uint8_t gap_3[13];\n  uint32_t far;\n  struct inner many[2];\n");
  assertEquals(code.split("struct inner {").length, 2);
  for (const name of ["int", "unix", "NULL", "INT8_MAX", "UINT_FAST16_MAX", "SIZE_MAX"]) {
    assertThrows(() => struct({ [name]: u8 }).toC(), TypeError, `Cannot declare "${name}" in C`);
  }
  assertThrows(() => Outer.toC("two words"), TypeError, 'Cannot declare "two words" in C');
});

Deno.test("what cannot be laid out is refused", () => {
  const { array, at, atomic, bytes, struct, u32, u8 } = own;
  assertThrows(() => struct({}), TypeError, "it has no fields");
  assertThrows(() => struct({ "a b": u8 }), TypeError, '"a b" is no name');
  assertThrows(() => struct({ ["__proto__"]: u8 }), TypeError, '"__proto__" is no name');
  assertThrows(() => struct({ 1: u8 }), TypeError, '"1" is no name');
  assertThrows(() => struct({ a: u32, b: at(2, u32) }), RangeError, "b is to be at 2");
  assertThrows(() => struct({ a: u8, b: at(6, u32) }), RangeError, "has to be a multiple of 4 from 1");
  assertThrows(() => struct({ a: at(NaN, u8) }), RangeError);
  assertThrows(() => struct({ a: atomic.u8 }, { packed: true }), TypeError, "cannot be packed");
  assertThrows(
    () => struct({ a: array(struct({ b: atomic.u32 }), 2) }, { packed: true }),
    TypeError,
    "packed",
  );
  for (const nothing of [{}, null, undefined, "u8", 4, { offset: 4, type: undefined }]) {
    assertThrows(() => struct({ a: nothing as typeof u8 }), TypeError, "a is no type");
  }
  for (const count of [0, -1, 1.5, NaN, 2 ** 33]) {
    assertThrows(() => array(u8, count), RangeError);
    assertThrows(() => bytes(count), RangeError);
    assertThrows(() => own.utf8(count), RangeError);
    assertThrows(() => own.chars(count), RangeError);
  }
  assertEquals(struct({ a: u8, b: at(3, u32) }, { packed: true }).byteLength, 7);
});

Deno.test("a fingerprint is that of names, types and places", () => {
  const { atomic, at, struct, u32, u8 } = own;
  const base = struct({ a: u8, b: u32 });
  assertEquals(base.fingerprint, struct({ a: u8, b: u32 }, { name: "another" }).fingerprint);
  const others = [
    struct({ a: u8, c: u32 }),
    struct({ a: u8, b: atomic.u32 }),
    struct({ a: u8, b: at(8, u32) }),
    struct({ b: u32, a: u8 }),
    struct({ a: u8, b: u32 }, { packed: true }),
    struct({ a: u8, b: u32, c: u8 }),
  ];
  for (const other of others) assert(other.fingerprint !== base.fingerprint, other.description);
  // FNV-1a of these bytes, by its definition.
  assertEquals(base.description, "0  struct of 8\n0 a u8\n4 b u32");
  assertEquals(base.fingerprint, 0xae23a00c6442b36dn);
});

Deno.test("random structs give back what was written, and write nothing else", () => {
  fc.assert(
    fc.property(schema().chain(({ type, value }) => fc.tuple(fc.constant(type), value)), ([type, value]) => {
      const memory = new Uint8Array(type.byteLength + 32).fill(0xa5);
      type.write(memory, 16, value as own.ValueOf<own.Fields>);
      assertEquals(type.read(memory, 16), value as own.ValueOf<own.Fields>);
      assertEquals(memory.subarray(0, 16), new Uint8Array(16).fill(0xa5));
      assertEquals(memory.subarray(-16), new Uint8Array(16).fill(0xa5));
      const view = type.at(memory, 16);
      for (const [name, place] of Object.entries(type.fields)) {
        if (["u32", "f64", "i64", "bool"].includes(place.type)) {
          assertEquals(view[name], (value as typeof view)[name]);
        }
      }
    }),
    { numRuns: scaled(1000) },
  );
});
