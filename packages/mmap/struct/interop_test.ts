/** A struct that a program in C reads and writes, and a segment that it finds. */

import { assertEquals, assertStringIncludes } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { compile, has } from "../../core/testdata/child.ts";
import { MappedFile } from "../mapped_file.ts";
import { OwnFile } from "../testdata/own_file.ts";
import * as own from "./mod.ts";

leakCheck();

const { array, at, atomic, bool, bytes, chars, f32, f64, i16, i32, i64, i8, Segment, struct } = own;
const { u16, u32, u64, u8, utf8 } = own;

const Inner = struct({ flag: bool, price: f64, label: chars(6) });
const Packed = struct({ kind: u8, size: u64, delta: i16, part: Inner }, { packed: true });
const All = struct({
  ...{ i8, u8, i16, u16, i32, u32, i64, u64, f32, f64, bool_: bool },
  raw: bytes(3),
  name: utf8(9),
  grid: array(array(i32, 3), 2),
  many: array(Inner, 2),
  packed: Packed,
  far: at(512, u16),
  hits: atomic.u64,
  state: atomic.i32,
}, { name: "all" });

const SOURCE = `
${All.toC()}
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#define CHECK(condition) if (!(condition)) { puts(#condition); return 1; }
int main(int count, char **args) {
  int fd = open(args[count - 1], O_RDWR);
  char *base = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (base == MAP_FAILED) return 2;
  CHECK(*(uint32_t *)base == 0x53435049);
  CHECK(*(uint64_t *)(base + 8) == ALL_FINGERPRINT);
  CHECK(*(uint64_t *)(base + 24) == sizeof(struct all));
  struct all *s = (void *)(base + *(uint32_t *)(base + 16));
  CHECK(s->i8 == -100 && s->u8 == 200 && s->i16 == -30000 && s->u16 == 60000);
  CHECK(s->i32 == -2000000000 && s->u32 == 4000000000);
  CHECK(s->i64 == INT64_MIN && s->u64 == UINT64_MAX);
  CHECK(s->f32 == 0.25f && s->f64 == 1e300 && s->bool_ == true);
  CHECK(!memcmp(s->raw, "\\1\\2\\3", 3));
  CHECK(s->name.length == 6 && !memcmp(s->name.bytes, "Z\\xc3\\xbcri\\0\\0\\0\\0", 9));
  CHECK(s->grid[1][2] == 6 && s->grid[0][0] == 1);
  CHECK(!strcmp(s->many[1].label, "two") && s->many[1].price == -0.5 && s->many[0].flag == false);
  CHECK(s->packed.kind == 7 && s->packed.size == 1ull << 40 && s->packed.delta == -1);
  CHECK(s->packed.part.flag && !strcmp(s->packed.part.label, "p"));
  CHECK(s->far == 65535 && s->hits == 1ull << 63 && s->state == -5);
  s->i8 = 1; s->u8 = 2; s->i16 = 3; s->u16 = 4; s->i32 = 5; s->u32 = 6; s->i64 = 7; s->u64 = 8;
  s->f32 = 1.5f; s->f64 = -0.0; s->bool_ = false;
  memcpy(s->raw, "abc", 3);
  s->name.length = 3; memcpy(s->name.bytes, "\\xe2\\x82\\xac", 3);
  s->grid[1][0] = -1;
  strcpy(s->many[0].label, "five5"); s->many[0].flag = true;
  s->packed.size = 99; s->packed.part.price = 2.5;
  s->far = 12; s->hits += 1; s->state = INT32_MIN;
  return 0;
}`;

Deno.test(
  "a program in C finds a segment, reads every kind of field and writes it",
  { ignore: !has("cc") },
  async () => {
    const folder = await Deno.makeTempDir({ prefix: "ipc-struct-" });
    try {
      const program = await compile(folder, "all", SOURCE, ["-std=c11", "-Wall"]);
      using file = new OwnFile();
      using mapping = MappedFile.open(file.path, { create: true, size: 4096 });
      const { view } = Segment.create(mapping, All, {
        value: {
          i8: -100,
          u8: 200,
          i16: -30_000,
          u16: 60_000,
          i32: -2_000_000_000,
          u32: 4_000_000_000,
          i64: -(2n ** 63n),
          u64: 2n ** 64n - 1n,
          f32: 0.25,
          f64: 1e300,
          bool_: true,
          raw: new Uint8Array([1, 2, 3]),
          name: "Züri\0",
          grid: [[1, 2, 3], [4, 5, 6]],
          many: [{ flag: false, price: 1, label: "one" }, { flag: true, price: -0.5, label: "two" }],
          packed: { kind: 7, size: 2n ** 40n, delta: -1, part: { flag: true, price: 0, label: "p" } },
          far: 65_535,
          hits: 2n ** 63n,
          state: -5,
        },
      });
      const { code, stdout } = await new Deno.Command(program, { args: [file.path] }).output();
      assertEquals([code, new TextDecoder().decode(stdout)], [0, ""]);
      assertEquals(All.read(view), {
        i8: 1,
        u8: 2,
        i16: 3,
        u16: 4,
        i32: 5,
        u32: 6,
        i64: 7n,
        u64: 8n,
        f32: 1.5,
        f64: -0,
        bool_: false,
        raw: new TextEncoder().encode("abc"),
        name: "€",
        grid: [[1, 2, 3], [-1, 5, 6]],
        many: [{ flag: true, price: 1, label: "five5" }, { flag: true, price: -0.5, label: "two" }],
        packed: { kind: 7, size: 99n, delta: -1, part: { flag: true, price: 2.5, label: "p" } },
        far: 12,
        hits: 2n ** 63n + 1n,
        state: -(2 ** 31),
      });
      // The same program does not find what it expects any more.
      const again = await new Deno.Command(program, { args: [file.path] }).output();
      assertEquals(again.code, 1);
      assertStringIncludes(new TextDecoder().decode(again.stdout), "s->i8 == -100");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);
