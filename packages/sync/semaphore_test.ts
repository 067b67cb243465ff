import { assertEquals, assertThrows } from "@std/assert";
import { ClosedError, LimitError, TruncatedError, UntrustedError } from "@ipc/core";
import { Mapping } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { MappedFile } from "../mmap/mod.ts";
import { Event, Semaphore } from "./mod.ts";
import { CEILING, opening, pause, settled, TestProcess, withMemory } from "./testdata/memory.ts";

leakCheck();

const LONG = { timeout: CEILING };
const MOST = 0x7fff_ffff;

Deno.test("Semaphore: takes and gives, one and several, through all handles", async () => {
  using mapping = Mapping.anonymous(4096);
  using semaphore = Semaphore.initialize(mapping, 8, { value: 5 });
  using same = Semaphore.at(mapping, 8);
  await semaphore.acquire();
  same.acquireSync(2);
  assertEquals([semaphore.value, semaphore.tryAcquire(3), same.value], [2, false, 2]);
  assertEquals([same.tryAcquire(2), same.tryAcquire()], [true, false]);
  semaphore.release(4);
  same.release();
  assertEquals(semaphore.value, 5);
  await semaphore.acquire(4, { timeout: 0 });
  same.acquireSync(1, { timeout: 0 });
  assertEquals([semaphore.value, Semaphore.byteLength], [0, 16]);
  await settled();
});

Deno.test("Semaphore: calls of one handle are served in their order, none overtakes one that wants more", async () => {
  using mapping = Mapping.anonymous(4096);
  using semaphore = Semaphore.initialize(mapping, 0);
  using same = Semaphore.at(mapping, 0);
  const order: number[] = [];
  const waits = [3, 1, 2].map((n) => semaphore.acquire(n, LONG).then(() => order.push(n)));
  for (let permits = 0; permits < 6; permits++) {
    await pause(2);
    same.release();
  }
  await Promise.all(waits);
  assertEquals([order, semaphore.value], [[3, 1, 2], 0]);
  await settled();
});

Deno.test("Semaphore: one who wants much does not keep a wake-up from one who wants little", () =>
  withMemory(async (memory, path) => {
    using semaphore = Semaphore.initialize(memory, 0);
    await using greedy = new TestProcess(`${opening(path)}
      console.log("starts");
      sync.Semaphore.at(memory, 0).acquireSync(5);
      console.log("has 5");`);
    assertEquals(await greedy.line(), "starts");
    await greedy.blocked();
    await using modest = new TestProcess(`${opening(path)}
      console.log("starts");
      sync.Semaphore.at(memory, 0).acquireSync();
      console.log("has 1");`);
    assertEquals(await modest.line(), "starts");
    await modest.blocked();
    semaphore.release();
    assertEquals(await modest.line(), "has 1");
    semaphore.release(5);
    assertEquals([await greedy.line(), semaphore.value], ["has 5", 0]);
  }));

Deno.test("Semaphore: nothing is lost or made between processes that take and give at once", () =>
  withMemory(async (memory, path) => {
    using semaphore = Semaphore.initialize(memory, 0, { value: 3 });
    const rounds = scaled(20_000);
    const source = `${opening(path)}
      const semaphore = sync.Semaphore.at(memory, 0);
      for (let left = ${rounds}; left > 0; left--) {
        const n = 1 + left % 3;
        if (left % 500 === 0) await semaphore.acquire(n);
        else semaphore.acquireSync(n);
        semaphore.release(n);
      }`;
    await using first = new TestProcess(source);
    await using second = new TestProcess(source);
    assertEquals([(await first.status).code, (await second.status).code], [0, 0]);
    assertEquals(semaphore.value, 3);
    // Who slept is not counted any more.
    assertEquals(new Int32Array(memory.buffer)[2], 0);
  }));

Deno.test("Semaphore.release over the highest value is a LimitError, and changes nothing", () => {
  using mapping = Mapping.anonymous(4096);
  using semaphore = Semaphore.initialize(mapping, 0, { value: MOST - 2 });
  semaphore.release(2);
  for (const n of [1, 2, MOST]) {
    const error = assertThrows(() => semaphore.release(n), LimitError, "would pass 2147483647");
    assertEquals([error.code, semaphore.value], ["EOVERFLOW", MOST]);
  }
  semaphore.acquireSync(MOST);
  assertEquals(semaphore.value, 0);
});

Deno.test("Semaphore.release over the highest value, by two processes at once: neither passes it", () =>
  withMemory(async (memory, path) => {
    using semaphore = Semaphore.initialize(memory, 0, { value: MOST - 1 });
    const source = `${opening(path)}
      const semaphore = sync.Semaphore.at(memory, 0);
      let released = 0;
      for (let left = ${scaled(100_000)}; left > 0; left--) {
        try {
          semaphore.release();
          released++;
        } catch {
          // Too many.
        }
      }
      console.log(released);`;
    await using first = new TestProcess(source);
    await using second = new TestProcess(source);
    assertEquals(Number(await first.line()) + Number(await second.line()), 1);
    assertEquals(semaphore.value, MOST);
  }));

Deno.test("Semaphore: bad arguments are refused before anything is done", () => {
  using mapping = Mapping.anonymous(4096);
  for (const value of [-1, 0.5, NaN, MOST + 1]) {
    assertThrows(
      () => Semaphore.initialize(mapping, 0, { value }),
      RangeError,
      "Cannot initialize semaphore with",
    );
  }
  for (const offset of [-8, 4, 0.5, NaN, 4088, 4096]) {
    assertThrows(() => Semaphore.initialize(mapping, offset), RangeError, "Cannot initialize semaphore");
    assertThrows(() => Semaphore.at(mapping, offset), RangeError, "Cannot use semaphore");
  }
  assertThrows(() => Semaphore.at(mapping, 0), UntrustedError, "nobody has initialized one there");
  using semaphore = Semaphore.initialize(mapping, 0, { value: 1 });
  assertThrows(() => Event.at(mapping, 0), UntrustedError, "Cannot use event");
  for (const n of [0, -1, 0.5, NaN, MOST + 1]) {
    assertThrows(() => semaphore.tryAcquire(n), RangeError, "Cannot acquire");
    assertThrows(() => semaphore.acquireSync(n), RangeError);
    assertThrows(() => semaphore.release(n), RangeError, "Cannot release");
  }
  assertEquals(semaphore.value, 1);
});

Deno.test("Semaphore: after close every call throws a ClosedError, other handles go on", async () => {
  const mapping = Mapping.anonymous(4096);
  using semaphore = Semaphore.initialize(mapping, 0, { value: 1 });
  const closed = Semaphore.at(mapping, 0);
  await closed[Symbol.asyncDispose]();
  for (const call of [() => closed.tryAcquire(), () => closed.release(), () => closed.value]) {
    assertThrows(call, ClosedError, "semaphore at byte 0: it was closed here");
  }
  assertEquals(semaphore.tryAcquire(), true);
  mapping.close();
  assertThrows(() => semaphore.tryAcquire(), ClosedError, "its mapping was closed");
  assertThrows(() => Semaphore.at(mapping, 0), ClosedError);
  await settled();
});

Deno.test("Semaphore: in memory that is for reading, or whose file has become shorter", () =>
  withMemory((memory, path) => {
    Semaphore.initialize(memory, 0).close();
    using reading = MappedFile.open(path, { access: "read" });
    assertThrows(() => Semaphore.at(reading, 0), TypeError, "the mapping is for reading");
    Deno.truncateSync(path, 0);
    assertThrows(() => Semaphore.at(memory, 0), TruncatedError);
  }));
