import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { ClosedError, IPC_PRIVATE, LimitError, RemovedError, TimeoutError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import process from "node:process";
import { SemaphoreSet } from "./mod.ts";
import { CEILING, processWith, until, withSet } from "./testdata/semaphore_sets.ts";
import { warmUpWaiting } from "./_waiting/mod.ts";

await warmUpWaiting();
leakCheck();

Deno.test("Semaphore: acquire takes, release gives, one and several", () =>
  withSet([0, 42], async (set) => {
    const semaphore = set.at(1);
    assertEquals([semaphore.index, semaphore.value, set.at(1) === semaphore], [1, 42, true]);
    semaphore.acquireSync(10);
    await semaphore.acquire(2);
    assertEquals(semaphore.tryAcquire(20), true);
    assertEquals(semaphore.tryAcquire(11), false);
    assertEquals(semaphore.value, 10);
    semaphore.release();
    semaphore.release(5, { undo: true });
    assertEquals(set.values, [0, 16]);
    assertEquals(semaphore.lastPid, Deno.pid);
  }));

Deno.test("Semaphore: an amount is an integer from 1 to 32767, for 0 would wait for zero", () =>
  withSet([5], async (set) => {
    const semaphore = set.at(0);
    for (const n of [0, -1, 1.5, NaN, 32768]) {
      assertThrows(() => semaphore.acquireSync(n), RangeError, "is no amount from 1 to 32767");
      assertThrows(() => semaphore.tryAcquire(n), RangeError);
      assertThrows(() => semaphore.release(n), RangeError);
      await assertRejects(() => semaphore.acquire(n), RangeError);
    }
    for (const value of [-1, 0.5, 32768]) assertThrows(() => semaphore.setValue(value), RangeError);
    assertThrows(() => semaphore.acquireSync(1, { timeout: -1 }), RangeError);
    await assertRejects(() => semaphore.acquire(1, { timeout: NaN }), RangeError);
    assertEquals(semaphore.value, 5);
  }));

Deno.test("Semaphore.release over SEMVMX is a LimitError, and changes nothing", () =>
  withSet([32766], (set) => {
    const semaphore = set.at(0);
    semaphore.release();
    const error = assertThrows(() => semaphore.release(), LimitError, "Cannot release semaphore 0 of");
    assertEquals([error.code, semaphore.value], ["ERANGE", 32767]);
  }));

Deno.test("Semaphore: undo beyond SEMVMX is a LimitError, and changes nothing", () =>
  withSet([32767], (set) => {
    const semaphore = set.at(0);
    semaphore.acquireSync(32767, { undo: true });
    semaphore.release(2);
    assertThrows(() => semaphore.acquireSync(2, { undo: true }), LimitError);
    assertEquals(semaphore.value, 2);
    semaphore.release(32765, { undo: true });
  }));

Deno.test("Semaphore: waiting for zero", () =>
  withSet([1], async (set) => {
    const semaphore = set.at(0);
    assertEquals(semaphore.tryWaitForZero(), false);
    assertThrows(
      () => semaphore.waitForZeroSync({ timeout: 20 }),
      TimeoutError,
      "Cannot wait for semaphore 0 of",
    );
    await assertRejects(() => semaphore.waitForZero({ timeout: 20 }), TimeoutError);
    const pending = [semaphore.waitForZero(CEILING), semaphore.waitForZero(CEILING)];
    semaphore.acquireSync();
    await Promise.all(pending);
    assertEquals(semaphore.tryWaitForZero(), true);
    semaphore.waitForZeroSync();
    semaphore.waitForZeroSync({ timeout: 0 });
  }));

Deno.test("Semaphore: a blocking acquire waits for another process, with and without a timeout", () =>
  withSet([0, 0], async (set) => {
    const go = set.at(1);
    await using other = await processWith(
      set,
      `
      set.at(1).acquireSync();
      semaphore.release();
      set.at(1).acquireSync();
      semaphore.release();
      set.at(1).waitForZeroSync();
      semaphore.acquireSync(2, { timeout: Number.MAX_VALUE });
      await new Promise(() => setTimeout(() => {}, 100_000));`,
    );
    go.release();
    set.at(0).acquireSync();
    assertEquals(set.at(0).lastPid, Deno.pid);
    go.release();
    set.at(0).acquireSync(1, CEILING);
    assertThrows(
      () => set.at(0).acquireSync(1, { timeout: 30 }),
      TimeoutError,
      "nothing happened within 30 ms",
    );
    await until(() => set.at(0).waitersForIncrease === 1);
    assertEquals(set.at(0).waitersForZero, 0);
    set.at(0).release(2);
    await until(() => set.at(0).lastPid === other.pid);
    assertEquals(set.at(0).value, 0);
  }));

Deno.test("Semaphore: a timeout costs time, not CPU", () =>
  withSet([0], (set) => {
    const before = process.cpuUsage();
    const start = performance.now();
    assertThrows(() => set.at(0).acquireSync(1, { timeout: 300 }), TimeoutError);
    assert(performance.now() - start >= 300);
    const { user, system } = process.cpuUsage(before);
    assert(user + system < 250_000);
  }));

Deno.test("Semaphore: signals do not end a blocking call, nor lengthen its timeout", () =>
  withSet([0, 0], async (set) => {
    await using other = await processWith(
      set,
      `
      Deno.addSignalListener("SIGWINCH", () => {});
      set.at(1).release();
      semaphore.acquireSync();
      semaphore.acquireSync(1, { timeout: ${CEILING.timeout} });
      set.operateSync([{ index: 0, by: -1 }]);
      semaphore.release(2);
      semaphore.waitForZeroSync();
      try { semaphore.acquireSync(1, { timeout: 500 }); } catch (error) { console.log(error.name); }`,
    );
    await set.at(1).acquire(1, CEILING);
    const semaphore = set.at(0);
    // The signals go on, so that the last wait is interrupted all the time.
    const interval = setInterval(() => {
      try {
        Deno.kill(other.pid, "SIGWINCH");
      } catch {
        // It has ended.
      }
    }, 5);
    try {
      for (let round = 0; round < 3; round++) {
        await until(() => semaphore.waitersForIncrease === 1);
        await new Promise((resolve) => setTimeout(resolve, 50));
        semaphore.release();
        await until(() => semaphore.value !== 1);
      }
      await until(() => semaphore.waitersForZero === 1);
      await new Promise((resolve) => setTimeout(resolve, 50));
      semaphore.acquireSync(2);
      assertEquals(await other.line(), "TimeoutError");
      assertEquals((await other.status).code, 0);
    } finally {
      clearInterval(interval);
    }
  }));

Deno.test("Semaphore: removal ends blocking calls with a RemovedError", () =>
  withSet([0, 1], async (set) => {
    const calls = [
      "semaphore.acquireSync()",
      `semaphore.acquireSync(1, { timeout: ${CEILING.timeout} })`,
      "set.operateSync([{ index: 0, by: -1 }])",
      "set.at(1).waitForZeroSync()",
    ];
    const processes = await Promise.all(
      calls.map((call) =>
        processWith(set, `try { ${call}; } catch (error) { console.log(error.name, error.code); }`)
      ),
    );
    try {
      await until(() => set.at(0).waitersForIncrease + set.at(1).waitersForZero === 4);
      set.remove();
      for (const each of processes) assertEquals(await each.line(), "RemovedError EIDRM");
    } finally {
      for (const each of processes) await each[Symbol.asyncDispose]();
    }
  }));

Deno.test("Semaphore.withLock holds while the function runs, and gives back what happens", () =>
  withSet([1], async (set) => {
    const lock = set.at(0);
    assertEquals(await lock.withLock(() => lock.value), 0);
    assertEquals(await lock.withLock(async () => (await Promise.resolve(), 7)), 7);
    const failure = new Error("Not today");
    assertEquals(await assertRejects(() => lock.withLock(() => Promise.reject(failure))), failure);
    assertEquals(
      await assertRejects(() =>
        lock.withLock(() => {
          throw failure;
        })
      ),
      failure,
    );
    await lock.withLock(async () => {
      await assertRejects(() => lock.withLock(() => {}, { timeout: 10 }), TimeoutError);
    });
    assertEquals(lock.value, 1);

    let inside = 0;
    await Promise.all(Array.from({ length: 20 }, () =>
      lock.withLock(async () => {
        assertEquals(++inside, 1);
        await new Promise((resolve) => setTimeout(resolve, 1));
        inside--;
      }, CEILING)));
    assertEquals(lock.value, 1);
  }));

Deno.test("Semaphore.withLock gives back after the set was closed, and tells if it was removed", () =>
  withSet([1], async (set) => {
    const handle = SemaphoreSet.open({ id: set.id });
    await handle.at(0).withLock(() => handle.close());
    await assertRejects(() => handle.at(0).withLock(() => {}), ClosedError);
    assertEquals(set.values, [1]);
    const failure = new Error("Not today");
    const both = await assertRejects(() =>
      set.at(0).withLock(() => {
        set.remove();
        throw failure;
      })
    );
    assertInstanceOf(both, SuppressedError);
    assertEquals(both.suppressed, failure);
    assertInstanceOf(both.error, RemovedError);
  }));

Deno.test("Semaphore: two processes count with a lock, and lose nothing", async () => {
  using set = SemaphoreSet.create(IPC_PRIVATE, { initial: [1, 0], removeOnClose: true });
  // Reading, adding and setting are three calls: without the lock steps would be lost.
  const count = `
    for (let step = 0; step < 1000; step++) {
      const add = () => set.at(1).setValue(set.at(1).value + 1);
      if (step % 2) await semaphore.withLock(add);
      else {
        semaphore.acquireSync(1, { undo: true });
        add();
        semaphore.release(1, { undo: true });
      }
    }`;
  const processes = await Promise.all([processWith(set, count), processWith(set, count)]);
  for (const each of processes) assertEquals((await each.status).code, 0);
  for (const each of processes) await each[Symbol.asyncDispose]();
  assertEquals(set.values, [1, 2000]);
});
