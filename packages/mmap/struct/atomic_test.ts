/** Atomics, here and between processes, and waiting for them. */

import { assert, assertEquals, assertRejects, assertStrictEquals, assertThrows } from "@std/assert";
import * as fc from "fast-check";
import { ClosedError, TimeoutError } from "@ipc/core";
import { Mapping } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { compile, has, scaled } from "../../core/testdata/child.ts";
import { TestProcess } from "../../core/testdata/process.ts";
import { settled } from "../../core/testdata/words.ts";
import { MappedFile } from "../mapped_file.ts";
import { OwnFile } from "../testdata/own_file.ts";
import { type Atomic, atomic, type AtomicTypes, struct } from "./mod.ts";

leakCheck();

/** Generous: nothing that works takes so long. */
const CEILING = { timeout: 60_000 };
const FILE = JSON.stringify(import.meta.resolve("../mapped_file.ts"));
const STRUCT = JSON.stringify(import.meta.resolve("./mod.ts"));

const Shared = struct({ state: atomic.u32, back: atomic.i32, total: atomic.u64, small: atomic.u8 });

function shared() {
  const own = new OwnFile();
  const file = MappedFile.open(own.path, { create: true, size: 4096 });
  const [view] = [Shared.at(file)];
  return {
    ...{ path: own.path, file, view, state: view.state },
    [Symbol.dispose]() {
      file.close();
      own[Symbol.dispose]();
    },
  };
}

/** Another process with the same struct, as `view`. */
function processWith(path: string, source: string): TestProcess {
  return new TestProcess(`
    import { MappedFile } from ${FILE};
    import { atomic, struct } from ${STRUCT};
    const Shared = struct({ state: atomic.u32, back: atomic.i32, total: atomic.u64, small: atomic.u8 });
    using file = MappedFile.open(${JSON.stringify(path)});
    const view = Shared.at(file);
    console.log("ready");
    ${source}`);
}

for (const name of Object.keys(atomic) as (keyof AtomicTypes)[]) {
  const bits = Number(name.slice(1));
  const signed = name.startsWith("i");
  const big = bits === 64;
  const wrap = (value: bigint) => signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
  const values = fc.bigInt({
    min: signed ? -(2n ** BigInt(bits - 1)) : 0n,
    max: 2n ** BigInt(signed ? bits - 1 : bits) - 1n,
  });

  Deno.test(`atomic.${name}: every operation gives what was there, and wraps`, () => {
    const One = struct({ x: atomic[name] });
    const own = (value: bigint) => (big ? value : Number(value)) as never;
    const { x } = One.at(new ArrayBuffer(8)) as unknown as { x: Atomic<number | bigint> };
    fc.assert(
      fc.property(values, values, (first, second) => {
        const results: Record<string, bigint> = {
          add: first + second,
          sub: first - second,
          and: first & second,
          or: first | second,
          xor: first ^ second,
          exchange: second,
        };
        for (const [operation, result] of Object.entries(results)) {
          x.store(own(first));
          assertStrictEquals(x[operation as "add"](own(second)), own(first));
          assertStrictEquals(x.load(), own(wrap(result)), operation);
        }
        x.store(own(first));
        assertStrictEquals(x.compareExchange(own(second), own(wrap(first + 1n))), own(first));
        assertStrictEquals(x.load(), first === second ? own(wrap(first + 1n)) : own(first));
        assertStrictEquals(x.compareExchange(x.load() as never, own(second)) !== undefined, true);
        assertStrictEquals(x.load(), own(second));
      }),
      { numRuns: scaled(500) },
    );
    const most = signed ? 2n ** BigInt(bits - 1) - 1n : 2n ** BigInt(bits) - 1n;
    x.store(own(1n));
    for (const wrong of [most + 1n, -most - 2n]) {
      for (const operation of ["store", "add", "sub", "and", "or", "xor", "exchange"] as const) {
        assertThrows(() => x[operation](own(wrong)), RangeError, `Cannot write atomic.${name}`);
      }
      assertThrows(() => x.compareExchange(own(wrong), own(1n)), RangeError);
      assertThrows(() => x.compareExchange(own(1n), own(wrong)), RangeError);
    }
    for (const wrong of [big ? 1 : 1n, "1", undefined, null, true]) {
      assertThrows(() => x.add(wrong as never), TypeError);
    }
    assertStrictEquals(x.load(), own(1n));
  });
}

Deno.test("atomics that two processes add to lose nothing", async () => {
  using memory = shared();
  const { path, view } = memory;
  const times = scaled(200_000);
  await using other = processWith(
    path,
    `for (let i = 0; i < ${times}; i++) { view.total.add(2n); view.state.add(1); view.small.add(1); }
     console.log("done");`,
  );
  assertEquals(await other.line(), "ready");
  for (let i = 0; i < times; i++) {
    view.total.sub(1n);
    view.state.add(1);
    for (let seen = view.small.load(); view.small.compareExchange(seen, (seen + 1) & 0xff) !== seen;) {
      seen = view.small.load();
    }
  }
  assertEquals(await other.line(), "done");
  assertEquals([view.total.load(), view.state.load()], [BigInt(times), 2 * times]);
  assertEquals(view.small.load(), 2 * times % 256);
});

Deno.test("two processes wait for each other, one blocking and one not", async () => {
  using memory = shared();
  const { path, view } = memory;
  const rounds = scaled(2000);
  await using other = processWith(
    path,
    `for (let round = 0; round < ${rounds}; round++) {
       view.state.waitSync(round, { timeout: ${CEILING.timeout} });
       view.back.sub(1);
       view.back.notify();
     }`,
  );
  assertEquals(await other.line(), "ready");
  for (let round = 0; round < rounds; round++) {
    view.state.add(1);
    view.state.notify();
    assertEquals(await view.back.wait(-round, CEILING), -round - 1);
  }
  assertEquals((await other.status).code, 0);
});

Deno.test("a program in C wakes who waits here, and is woken", { ignore: !has("cc") }, async () => {
  const folder = await Deno.makeTempDir({ prefix: "ipc-struct-" });
  try {
    using memory = shared();
    const { path, view } = memory;
    const program = await compile(
      folder,
      "futex",
      `#define _GNU_SOURCE
       ${Shared.toC("shared")}
       #include <fcntl.h>
       #include <linux/futex.h>
       #include <sys/mman.h>
       #include <sys/syscall.h>
       #include <unistd.h>
       int main(int count, char **args) {
         int fd = open(args[count - 1], O_RDWR);
         struct shared *s = mmap(0, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
         if (s == MAP_FAILED) return 1;
         for (uint32_t round = 0; round < 200; round++) {
           while (s->state == round) syscall(SYS_futex, &s->state, FUTEX_WAIT, round, 0);
           s->back -= 1;
           s->total += 1000000000000;
           syscall(SYS_futex, &s->back, FUTEX_WAKE, 1);
         }
         return 0;
       }`,
      ["-Wall"],
    );
    const other = new Deno.Command(program, { args: [path] }).spawn();
    try {
      for (let round = 0; round < 200; round++) {
        view.state.add(1);
        view.state.notify(1);
        if (round % 2 === 0) assertEquals(await view.back.wait(-round, CEILING), -round - 1);
        else assertEquals(view.back.waitSync(-round, CEILING), -round - 1);
      }
      assertEquals((await other.status).code, 0);
      assertEquals(view.total.load(), 200_000_000_000_000n);
    } finally {
      try {
        other.kill("SIGKILL");
      } catch {
        // Gone already.
      }
      await other.status;
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("wait: another value already, a timeout, an abort, a closed mapping", async () => {
  const mapping = Mapping.anonymous(4096);
  const { state, back } = Shared.at(mapping, 64);
  state.store(2 ** 32 - 1);
  assertEquals(await state.wait(0), 2 ** 32 - 1);
  assertEquals(await state.wait(0, { timeout: 0 }), 2 ** 32 - 1);
  assertEquals(state.waitSync(0, { timeout: 0 }), 2 ** 32 - 1);
  await assertRejects(() => state.wait(2 ** 32 - 1, { timeout: 0 }), TimeoutError);
  await assertRejects(() => state.wait(2 ** 32 - 1, { timeout: 20 }), TimeoutError);
  assertThrows(() => state.waitSync(2 ** 32 - 1, { timeout: 20 }), TimeoutError);
  await assertRejects(() => state.wait(0, { timeout: -1 }), RangeError);
  for (const expected of [-1, 2 ** 32, 0.5]) {
    await assertRejects(() => state.wait(expected), RangeError);
    assertThrows(() => state.waitSync(expected), RangeError);
  }
  const reason = new Error("enough");
  const signal = AbortSignal.abort(reason);
  assertStrictEquals(await assertRejects(() => state.wait(2 ** 32 - 1, { signal })), reason);
  const controller = new AbortController();
  const aborted = assertRejects(() => state.wait(2 ** 32 - 1, { signal: controller.signal }));
  const other = back.wait(0, CEILING);
  await new Promise((resolve) => setTimeout(resolve, 20));
  controller.abort(reason);
  assertStrictEquals(await aborted, reason);
  back.store(-7);
  back.notify();
  assertEquals(await other, -7);
  assertEquals(back.notify(), 0);
  assertThrows(() => back.notify(0), RangeError);
  const closed = assertRejects(() => state.wait(2 ** 32 - 1), ClosedError);
  mapping.close();
  await closed;
  await assertRejects(() => state.wait(0), TypeError);
  assertThrows(() => state.waitSync(0), TypeError);
  assertThrows(() => state.notify(), TypeError);
  await settled();
});

Deno.test("many wait for one word, each for another value than it knows", async () => {
  using mapping = Mapping.anonymous(4096);
  const { state } = Shared.at(mapping);
  const waiting = Array.from({ length: 300 }, () => state.wait(0, CEILING));
  await new Promise((resolve) => setTimeout(resolve, 20));
  state.store(5);
  const later = state.wait(5, CEILING);
  state.notify();
  assertEquals(new Set(await Promise.all(waiting)), new Set([5]));
  state.store(6);
  state.notify();
  assertEquals(await later, 6);
  await settled();
});

Deno.test("what is in no mapping cannot be waited for", async () => {
  const { state } = Shared.at(new ArrayBuffer(24));
  await assertRejects(() => state.wait(0), TypeError, "in no mapping");
  assertThrows(() => state.waitSync(0), TypeError, "in no mapping");
  assertThrows(() => state.notify(), TypeError, "in no mapping");
  assert(!("wait" in Shared.at(new ArrayBuffer(24)).total));
});
