/** What the end of a process gives back, and what it does not. */

import { assertEquals } from "@std/assert";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import type { SemaphoreSet } from "./mod.ts";
import { CEILING, MOD, processWith, withSet } from "./testdata/semaphore_sets.ts";
import { warmUpWaiting } from "./_waiting/mod.ts";

await warmUpWaiting();
leakCheck();

/** Lets a process do something with a set, and then kills it. */
async function killed(set: SemaphoreSet, source: string, before?: () => void): Promise<void> {
  await using holder = await processWith(set, `${source}; console.log("held"); setInterval(() => {}, 1000);`);
  assertEquals(await holder.line(), "held");
  before?.();
  await holder.kill();
}

const holders = {
  "acquireSync": "semaphore.acquireSync(1, { undo: true })",
  "acquireSync that waits": `set.at(1).release(); semaphore.acquireSync(1, { undo: true })`,
  "tryAcquire": "semaphore.tryAcquire(1, { undo: true })",
  "acquire": "await semaphore.acquire(1, { undo: true })",
  "acquire that waits": "set.at(1).release(); await semaphore.acquire(1, { undo: true })",
  "operate": "await set.operate([{ index: 0, by: -1, undo: true }])",
  "withLock":
    "await new Promise((held) => semaphore.withLock(() => { held(); return new Promise(() => {}); }))",
};

for (const [how, source] of Object.entries(holders)) {
  Deno.test(`Semaphore: a holder by ${how} is killed, and gives back what it undoes`, () =>
    withSet([1, 0], async (set) => {
      const semaphore = set.at(0);
      const waits = how.includes("waits");
      if (waits) {
        semaphore.acquireSync();
        set.at(1).acquire(1, CEILING).then(() => setTimeout(() => semaphore.release(), 30));
      }
      await killed(set, source, () => assertEquals(semaphore.value, 0));
      await semaphore.acquire(1, CEILING);
      assertEquals(set.values, [0, 0]);
    }));
}

Deno.test("Semaphore: holders are killed again and again, and each time a waiter in another process goes on", () =>
  withSet([1, 0], async (set) => {
    const kills = scaled(100);
    await using waiter = await processWith(
      set,
      `
      for (let kill = 0; kill < ${kills}; kill++) {
        set.at(1).acquireSync();
        if (kill % 2) semaphore.acquireSync(1, { undo: true, timeout: ${CEILING.timeout} });
        else await semaphore.acquire(1, { undo: true, timeout: ${CEILING.timeout} });
        console.log("mine");
        semaphore.release(1, { undo: true });
      }`,
    );
    for (let kill = 0; kill < kills; kill++) {
      await killed(set, "semaphore.acquireSync(1, { undo: true }); set.at(1).release()", () => {
        assertEquals(set.at(0).value, 0);
      });
      assertEquals(await waiter.line(), "mine");
      // It has given back before the next one comes, or the next one waits: both are right.
    }
    assertEquals((await waiter.status).code, 0);
    assertEquals(set.values, [1, 0]);
  }));

Deno.test("Semaphore: what a killed process took or gave without undo stays", () =>
  withSet([5, 0], async (set) => {
    await killed(set, "semaphore.acquireSync(); await semaphore.acquire(); set.at(1).release(3)");
    assertEquals(set.values, [3, 3]);
  }));

Deno.test("Semaphore: release with undo is taken back", () =>
  withSet([0, 0], async (set) => {
    await killed(set, "semaphore.release(2, { undo: true }); set.at(1).release(3)", () => {
      assertEquals(set.values, [2, 3]);
    });
    assertEquals(set.values, [0, 3]);
  }));

for (const [how, end] of Object.entries({ "by itself": "", "by Deno.exit": "Deno.exit(3)" })) {
  Deno.test(`Semaphore: a process that ends ${how} undoes too`, () =>
    withSet([1, 0], async (set) => {
      await using holder = await processWith(
        set,
        `semaphore.acquireSync(1, { undo: true });
         console.log("held");
         set.at(1).acquireSync();
         ${end}`,
      );
      assertEquals(await holder.line(), "held");
      assertEquals(set.values, [0, 0]);
      set.at(1).release();
      assertEquals((await holder.status).code, end ? 3 : 0);
      assertEquals(set.values, [1, 0]);
    }));
}

Deno.test("Semaphore: undo belongs to the process, not to the Worker that asked for it", () =>
  withSet([1, 0], async (set) => {
    const worker = JSON.stringify(
      `import(${MOD}).then(({ SemaphoreSet }) =>
        SemaphoreSet.open({ id: ${set.id} }).at(0).acquireSync(1, { undo: true }))`,
    );
    await using holder = await processWith(
      set,
      `import { Worker } from "node:worker_threads";
       const worker = new Worker(${worker}, { eval: true });
       await new Promise((resolve) => worker.on("exit", resolve));
       console.log("the worker is gone");
       setInterval(() => {}, 1000);`,
    );
    assertEquals(await holder.line(), "the worker is gone");
    assertEquals(set.values, [0, 0]);
    await holder.kill();
    assertEquals(set.values, [1, 0]);
  }));

Deno.test("Semaphore: setting values clears what is to be undone", () =>
  withSet([1, 1], async (set) => {
    const both = "semaphore.acquireSync(1, { undo: true }); set.at(1).acquireSync(1, { undo: true })";
    await killed(set, both, () => set.at(0).setValue(7));
    assertEquals(set.values, [7, 1]);
    await killed(set, both, () => set.setValues([3, 3]));
    assertEquals(set.values, [3, 3]);
  }));
