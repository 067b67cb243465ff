/** Calls that wait asynchronously: their order, their ends, and what they leave alone. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { ClosedError, IPC_PRIVATE, RemovedError, TimeoutError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { type Semaphore, SemaphoreSet } from "./mod.ts";
import { TestProcess } from "./testdata/process.ts";
import { CEILING, MOD, processWith, until, withSet } from "./testdata/semaphore_sets.ts";
import { warmUpWaiting } from "./_waiting/mod.ts";

await warmUpWaiting();
leakCheck();

/** Until waits that began before are parked. */
function parked(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}

/** The outcomes of promises, by name. */
async function outcomes(promises: Promise<unknown>[]): Promise<string[]> {
  const settled = await Promise.allSettled(promises);
  return settled.map((each) => each.status === "fulfilled" ? "done" : each.reason.name);
}

Deno.test("Semaphore: waits for the same amount are served in the order of the calls", () =>
  withSet([0], async (set) => {
    const semaphore = set.at(0);
    const order: number[] = [];
    const pending = Array.from(
      { length: 20 },
      (_, number) => semaphore.acquire(1, CEILING).then(() => order.push(number)),
    );
    for (let number = 0; number < 20; number++) {
      if (number % 3 === 0) await parked();
      semaphore.release();
    }
    await Promise.all(pending);
    assertEquals(order, Array.from({ length: 20 }, (_, number) => number));
    assertEquals(semaphore.value, 0);
  }));

Deno.test("Semaphore: who waits for much stands in nobody's way", () =>
  withSet([0], async (set) => {
    const semaphore = set.at(0);
    const much = semaphore.acquire(3, CEILING);
    const little = semaphore.acquire(1, CEILING);
    await parked();
    semaphore.release(1);
    await little;
    semaphore.release(2);
    semaphore.acquireSync(1);
    assertEquals(semaphore.tryAcquire(), true);
    semaphore.release(3);
    await much;
    assertEquals(semaphore.value, 0);
  }));

Deno.test("Semaphore: two processes take turns, each waiting asynchronously", () =>
  withSet([0, 0], async (set) => {
    const rounds = scaled(2000);
    await using other = await processWith(
      set,
      `
      for (let round = 0; round < ${rounds}; round++) {
        await semaphore.acquire(1, { timeout: ${CEILING.timeout} });
        set.at(1).release();
      }`,
    );
    for (let round = 0; round < rounds; round++) {
      set.at(0).release();
      await set.at(1).acquire(1, CEILING);
    }
    assertEquals((await other.status).code, 0);
    assertEquals(set.values, [0, 0]);
  }));

Deno.test("Semaphore: who waits for 0 learns of a value that was 0 for a moment only, and each that waits does", () =>
  withSet([1, 1], async (set) => {
    const semaphore = set.at(0);
    for (let round = 0; round < 5; round++) {
      const controller = new AbortController();
      const waits = [
        semaphore.waitForZero(CEILING),
        assertRejects(() => semaphore.waitForZero({ signal: controller.signal })),
        semaphore.waitForZero(CEILING),
        set.operate([{ index: 0, by: 0 }, { index: 1, by: 0 }], CEILING),
      ];
      await until(() => semaphore.waitersForZero === 2);
      controller.abort();
      await until(() => semaphore.waitersForZero === 2);
      assertEquals(semaphore.tryAcquire(), true);
      semaphore.release();
      await Promise.all(waits.slice(0, 3));
      set.operateSync([{ index: 0, by: -1 }, { index: 1, by: -1 }]);
      set.operateSync([{ index: 0, by: 1 }, { index: 1, by: 1 }]);
      await waits[3];
      assertEquals(set.values, [1, 1]);
      // One that came after that waits for the next.
      await assertRejects(() => semaphore.waitForZero({ timeout: 5 }), TimeoutError);
    }
  }));

Deno.test("Semaphore: an aborted wait rejects with the reason, and takes nothing", () =>
  withSet([0], async (set) => {
    const semaphore = set.at(0);
    for (const wait of [() => parked(), () => Promise.resolve()]) {
      const controller = new AbortController();
      const { signal } = controller;
      const pending = [
        semaphore.acquire(1, { signal }),
        semaphore.acquire(2, { signal, timeout: CEILING.timeout }),
        semaphore.withLock(() => {}, { signal }),
        set.operate([{ index: 0, by: -1 }], { signal }),
      ];
      const settled = Promise.allSettled(pending);
      await wait();
      const reason = new Error("No longer");
      controller.abort(reason);
      semaphore.release(5);
      for (const each of await settled) assertEquals((each as PromiseRejectedResult).reason, reason);
      assertEquals(semaphore.value, 5);
      assertEquals(await assertRejects(() => semaphore.acquire(1, { signal })), reason);
      assertEquals(semaphore.value, 5);
      semaphore.setValue(0);
    }
  }));

Deno.test("Semaphore: whoever aborts or times out while another process releases, no permit is lost or doubled", () =>
  withSet([0, 0], async (set) => {
    const releases = Math.max(500, scaled(3000));
    await using other = await processWith(
      set,
      `
      for (let left = ${releases}; left > 0; left--) {
        semaphore.release();
        if (left % 7 === 0) semaphore.waitForZeroSync({ timeout: 5000 });
        const pause = performance.now() + Math.random() * 0.5;
        while (performance.now() < pause);
      }
      set.at(1).release();`,
    );
    let acquired = 0;
    let given = 0;
    while (set.at(1).value === 0 || set.at(0).value > 0) {
      const controller = new AbortController();
      const pending = [
        set.at(0).acquire(1, { signal: controller.signal }),
        set.at(0).acquire(1, { timeout: Math.random() * 3 }),
        set.operate([{ index: 0, by: -1, undo: true }], { timeout: 2, signal: controller.signal }),
      ].map((each) => each.then(() => acquired++, () => given++));
      setTimeout(() => controller.abort(), Math.random() * 3);
      await Promise.all(pending);
    }
    assertEquals([acquired, set.values], [releases, [0, 1]]);
    assert(given > 0);
    assertEquals((await other.status).code, 0);
  }));

Deno.test("Semaphore: closing rejects what waits, takes nothing, and leaves other handles alone", () =>
  withSet([0, 1], async (set) => {
    const handle = SemaphoreSet.open({ id: set.id });
    const other = set.at(0).acquire(1, CEILING);
    const pending = outcomes([
      handle.at(0).acquire(),
      handle.at(0).acquire(3, CEILING),
      handle.at(1).waitForZero(),
      handle.operate([{ index: 0, by: -1 }]),
      handle.operate([{ index: 0, by: -1 }, { index: 1, by: -1, nowait: true }]),
    ]);
    await parked();
    handle.close();
    assertEquals(await pending, Array(5).fill(ClosedError.name));
    set.at(0).release(2);
    await other;
    assertEquals(set.values, [1, 1]);
  }));

Deno.test("Semaphore: removal ends all waits, of all handles, with a RemovedError", () =>
  withSet([0, 1], async (set) => {
    using handle = SemaphoreSet.open({ id: set.id });
    const pending = outcomes([
      ...Array.from({ length: 10 }, () => set.at(0).acquire()),
      set.at(0).acquire(2, CEILING),
      set.at(1).waitForZero(),
      handle.at(0).withLock(() => {}),
      handle.operate([{ index: 0, by: -1 }]),
      handle.operate([{ index: 0, by: -1 }, { index: 1, by: -1, nowait: true }]),
    ]);
    await parked();
    // In the way that anybody else would do it.
    await using _other = await processWith(set, "set.remove()");
    assertEquals(await pending, Array(15).fill(RemovedError.name));
  }));

Deno.test("Semaphore: 1,000 waits, each for a semaphore of its own, leave file I/O alone", async () => {
  using set = SemaphoreSet.create(IPC_PRIVATE, { size: 1000, removeOnClose: true });
  const semaphores = Array.from({ length: 1000 }, (_, index) => set.at(index));
  const pending = semaphores.map((semaphore) => semaphore.acquire(1, { timeout: 60_000 }));
  await parked();
  const start = performance.now();
  for (let read = 0; read < 10; read++) await Deno.readTextFile(new URL(import.meta.url));
  assert(performance.now() - start < 10 * 2000);
  // Some by another process, the rest here; the last ones are aborted by their time.
  await using other = await processWith(
    set,
    "for (let index = 0; index < 500; index++) set.at(index).release();",
  );
  await Promise.all(pending.slice(0, 500));
  for (const semaphore of semaphores.slice(500)) semaphore.release();
  await Promise.all(pending);
  assertEquals((await other.status).code, 0);
  assert(set.values.every((value) => value === 0));
});

Deno.test("Semaphore: 1,000 waits for one semaphore", () =>
  withSet([0], async (set) => {
    const semaphore = set.at(0);
    const pending = Array.from({ length: 1000 }, () => semaphore.acquire(1, CEILING));
    const late = Array.from({ length: 100 }, () => semaphore.acquire(2, { timeout: 50 }));
    assertEquals(await outcomes(late), Array(100).fill(TimeoutError.name));
    await using other = await processWith(set, "semaphore.release(500); semaphore.release(500);");
    await Promise.all(pending);
    assertEquals((await other.status).code, 0);
    assertEquals(semaphore.value, 0);
  }));

Deno.test("Semaphore: calls that do not wait go ahead of those that do", () =>
  withSet([0], async (set) => {
    const semaphore = set.at(0);
    const pending = semaphore.acquire(1, CEILING);
    await parked();
    semaphore.release();
    semaphore.acquireSync();
    semaphore.release();
    assertEquals(semaphore.tryAcquire(), true);
    semaphore.release();
    await pending;
  }));

Deno.test("SemaphoreSet: an endless loop of calls that succeed at once lets timers run", () =>
  withSet([1], async (set) => {
    let stop = false;
    setTimeout(() => stop = true, 5);
    while (!stop) await set.at(0).withLock(() => {});
    assertEquals(set.values, [1]);
  }));

/** How a process with a set ends that nobody ends. */
async function livesOn(set: SemaphoreSet, source: string): Promise<TestProcess> {
  const process = await processWith(set, `${source}; console.log("at its end");`);
  assertEquals(await process.line(), "at its end");
  return process;
}

Deno.test("SemaphoreSet: an idle set does not keep the process alive, nor does a wait that is over", () =>
  withSet([0], async (set) => {
    for (
      const source of [
        "",
        `await semaphore.acquire(1, { timeout: 50 }).catch(() => {})`,
        `const aborted = semaphore.acquire(1, { signal: AbortSignal.timeout(50) }); await aborted.catch(() => {})`,
        `const closed = semaphore.acquire(); setTimeout(() => set.close(), 50); await closed.catch(() => {})`,
        `const pending = Array.from({ length: 50 }, () => semaphore.acquire());
         setTimeout(() => semaphore.release(50), 50);
         await Promise.all(pending)`,
      ]
    ) {
      await using process = await livesOn(set, source);
      assertEquals((await process.status).code, 0);
    }
    assertEquals(set.values, [0]);
  }));

Deno.test("SemaphoreSet: a wait keeps the process alive until it is over", () =>
  withSet([0, 1], async (set) => {
    await using process = await livesOn(
      set,
      `
      semaphore.acquire().then(() => console.log("acquired"));
      set.at(1).waitForZero().then(() => console.log("zero"))`,
    );
    await new Promise((resolve) => setTimeout(resolve, 200));
    set.at(0).release();
    assertEquals(await process.line(), "acquired");
    await new Promise((resolve) => setTimeout(resolve, 50));
    set.at(1).acquireSync();
    assertEquals(await process.line(), "zero");
    assertEquals((await process.status).code, 0);
  }));

Deno.test("SemaphoreSet: --allow-ffi is all that it needs", () =>
  withSet([0], async (set) => {
    await using process = new TestProcess(
      `import { SemaphoreSet } from ${MOD};
       using set = SemaphoreSet.open({ id: ${set.id} });
       await set.at(0).acquire(1, { timeout: 50 }).catch((error) => console.log(error.name));
       await set.at(0).acquire(1, { timeout: ${CEILING.timeout} });
       console.log("acquired");`,
      { flags: ["--allow-ffi"] },
    );
    assertEquals(await process.line(), "TimeoutError");
    await parked();
    set.at(0).release();
    assertEquals(await process.line(), "acquired");
    assertEquals((await process.status).code, 0);
  }));

Deno.test("Semaphore: the numbers of those who wait", () =>
  withSet([1], async (set) => {
    const semaphore: Semaphore = set.at(0);
    await using low = await processWith(set, "semaphore.acquireSync(2)");
    await using zero = await processWith(set, "semaphore.waitForZeroSync()");
    await until(() => semaphore.waitersForIncrease === 1 && semaphore.waitersForZero === 1);
    semaphore.release();
    assertEquals([(await low.status).code, (await zero.status).code], [0, 0]);
    assertEquals([semaphore.waitersForIncrease, semaphore.waitersForZero], [0, 0]);
  }));

/** A process that holds the only unit for some milliseconds, again and again, and blocks in between. */
function holder(set: SemaphoreSet): Promise<TestProcess> {
  return processWith(
    set,
    `const sleep = new Int32Array(new SharedArrayBuffer(4));
     for (;;) {
       semaphore.acquireSync(1, { undo: true });
       Atomics.wait(sleep, 0, 0, 3);
       semaphore.release(1, { undo: true });
     }`,
  );
}

Deno.test("Semaphore: who waits asynchronously has a turn among those whose threads are blocked", () =>
  withSet([1], async (set) => {
    await using one = await holder(set);
    await using other = await holder(set);
    const lock = set.at(0);
    for (let turn = 0; turn < 5; turn++) await lock.withLock(() => {}, CEILING);
    for (let turn = 0; turn < scaled(200); turn++) {
      const abort = new AbortController();
      const acquired = lock.acquire(1, { undo: true, signal: abort.signal }).then(() => true, () => false);
      const timer = setTimeout(() => abort.abort(), Math.random() * 20);
      if (await acquired) lock.release(1, { undo: true });
      clearTimeout(timer);
    }
    await one.kill();
    await other.kill();
    // What an abort left behind would be missing here.
    await until(() => lock.value === 1);
  }));
