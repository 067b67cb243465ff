/** Many who wait for locks, and for how long. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { ClosedError, TimeoutError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { Cases } from "../core/testdata/cases.ts";
import { scaled } from "../core/testdata/child.ts";
import { Mutex } from "./mutex.ts";
import { RwLock } from "./rw_lock.ts";
import { CEILING, opening, pause, TestProcess, withMemory } from "./testdata/memory.ts";

leakCheck();

const cases = new Cases("robust-lock", new URL("testdata/conformance.json", import.meta.url));

/** A process that holds the mutex at byte 0 until it is told. */
async function holder(path: string): Promise<TestProcess> {
  const process = new TestProcess(`${opening(path)}
    const guard = Mutex.at(memory, 0).lockSync();
    console.log("held");
    while (Atomics.load(words, 500) === 0) await pause(1);
    guard.unlock();
    memory.close();`);
  assertEquals(await process.line(), "held");
  return process;
}

cases.test("LOCK-006", () =>
  withMemory(async (memory, path) => {
    using mutex = Mutex.initialize(memory, 0);
    await using process = await holder(path);
    const waiting = mutex.lock({ timeout: CEILING });
    await process.kill();
    using guard = await waiting;
    assert(guard.held);
    guard.markConsistent();
  }));

Deno.test("1,000 waits for locks: files are read meanwhile, aborts are answered, and each gets its turn", () =>
  withMemory(async (memory, path) => {
    const MUTEXES = 50;
    using first = Mutex.initialize(memory, 0);
    await using _process = await holder(path);
    const handles = Array.from({ length: MUTEXES }, () => Mutex.at(memory, 0));
    try {
      const stop = new AbortController();
      let turns = 0;
      const waits: Promise<void>[] = [];
      const aborted: Promise<unknown>[] = [];
      for (let n = 0; n < 1000; n++) {
        const handle = handles[n % MUTEXES]!;
        if (n % 10 === 0) {
          aborted.push(assertRejects(() => handle.lock({ signal: stop.signal }), Error, "enough"));
        } else waits.push(handle.withLock(() => void turns++, { timeout: CEILING }));
      }
      await pause(50);
      const begun = performance.now();
      await Deno.readTextFile(new URL(import.meta.url));
      assert(performance.now() - begun < 2000);
      stop.abort(new Error("enough"));
      const asked = performance.now();
      await Promise.all(aborted);
      assert(performance.now() - asked < 2000);
      assertEquals(turns, 0);
      Atomics.store(new Int32Array(memory.buffer), 500, 1);
      await Promise.all(waits);
      assertEquals(turns, 900);
    } finally {
      for (const handle of handles) handle.close();
    }
    first.lockSync().unlock();
  }));

Deno.test("locks: a timeout is kept, async and sync, and takes nothing", () =>
  withMemory(async (memory, path) => {
    using mutex = Mutex.initialize(memory, 0);
    using lock = RwLock.initialize(memory, 64);
    await using process = await holder(path);
    for (const timeout of [0, 1, 50]) {
      await assertRejects(() => mutex.lock({ timeout }), TimeoutError);
      try {
        mutex.lockSync({ timeout });
        throw new Error("locked");
      } catch (error) {
        assert(error instanceof TimeoutError);
      }
    }
    using _reading = lock.readSync();
    await assertRejects(() => lock.write({ timeout: 1 }), TimeoutError);
    for (const timeout of [-1, NaN]) await assertRejects(() => mutex.lock({ timeout }), RangeError);
    Atomics.store(new Int32Array(memory.buffer), 500, 1);
    assertEquals((await process.status).code, 0);
    assertEquals(mutex.tryLock()?.abandoned, false);
  }));

Deno.test("locks: closing the mapping ends 100 waits", () =>
  withMemory(async (memory, path) => {
    Mutex.initialize(memory, 0).close();
    await using _process = await holder(path);
    const waits = Array.from({ length: 100 }, () =>
      assertRejects(() => Mutex.at(memory, 0).lock(), ClosedError));
    await pause(20);
    memory.close();
    await Promise.all(waits);
  }));

Deno.test("a wait for a lock keeps the process alive, an open handle does not", () =>
  withMemory(async (memory, path) => {
    Mutex.initialize(memory, 0).close();
    await using process = await holder(path);
    await using idle = new TestProcess(`${opening(path)}
      Mutex.at(memory, 0).tryLock();`);
    assertEquals((await idle.status).code, 0);
    await using waiting = new TestProcess(`${opening(path)}
      Mutex.at(memory, 0).lock().then(() => console.log("locked"));
      console.log("waits");`);
    assertEquals(await waiting.line(), "waits");
    await pause(50);
    Atomics.store(new Int32Array(memory.buffer), 500, 1);
    assertEquals(await waiting.line(), "locked");
    assertEquals((await process.status).code, 0);
    assertEquals((await waiting.status).code, 0);
  }));

Deno.test("Mutex: aborts that race with unlocking lose no lock", () =>
  withMemory(async (memory) => {
    using mutex = Mutex.initialize(memory, 0);
    using same = Mutex.at(memory, 0);
    for (let round = 0; round < scaled(2000); round++) {
      const guard = await mutex.lock();
      const stop = new AbortController();
      const waiting = same.lock({ signal: stop.signal }).then((next) => next.unlock(), () => {});
      if (round % 3 === 0) await pause(0);
      if (round % 2 === 0) {
        stop.abort();
        guard.unlock();
      } else {
        guard.unlock();
        stop.abort();
      }
      await waiting;
    }
    assertEquals(mutex.tryLock()?.abandoned, false);
  }));
