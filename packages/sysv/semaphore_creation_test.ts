/** SemaphoreSet.openOrCreate: nobody sees a set before it has its values. */

import { assert, assertEquals, assertRejects } from "@std/assert";
import { IPC_PRIVATE, type Key, TimeoutError, UntrustedError } from "@ipc/core";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { constants } from "./_abi.ts";
import { setKind } from "./_kinds.ts";
import { SemaphoreSet } from "./mod.ts";
import { freeKey, removeKey, withKey } from "./testdata/objects.ts";
import { asUser, canBeAnother, NOBODY, TestProcess } from "./testdata/process.ts";
import { CEILING, MOD, withSet } from "./testdata/semaphore_sets.ts";

leakCheck();

/** Only creates, as a process does that dies before it sets values. */
function createOnly(key: Key, size = 1): number {
  const id = setKind.get(key, size, constants.IPC_CREAT | constants.IPC_EXCL | 0o600);
  assert(id !== -1);
  return id;
}

Deno.test("SemaphoreSet.openOrCreate creates with values and mode, or opens what is there as it is", () =>
  withKey(async (key) => {
    using first = await SemaphoreSet.openOrCreate(key, { initial: [3, 4], mode: 0o640 });
    assertEquals([first.values, first.stat().mode], [[3, 4], 0o640]);
    using second = await SemaphoreSet.openOrCreate(key, { initial: 9, removeOnClose: true });
    assertEquals([second.id, second.size, second.values], [first.id, 2, [3, 4]]);
    second.close();
    assertEquals(first.values, [3, 4]);
    using created = SemaphoreSet.open(key);
    assertEquals(created.id, first.id);
    await assertRejects(
      () => SemaphoreSet.openOrCreate(key, { size: 3 }),
      RangeError,
      "it has 2 semaphores, not 3",
    );
    await assertRejects(() => SemaphoreSet.openOrCreate(key, { timeout: -1 }), RangeError);
    await assertRejects(() => SemaphoreSet.openOrCreate(key, { initial: -1 }), RangeError);
    await assertRejects(() => SemaphoreSet.openOrCreate(IPC_PRIVATE), TypeError, "use create");
  }));

Deno.test("SemaphoreSet.openOrCreate opens at once what create made", () =>
  withKey(async (key) => {
    for (const initial of [0, 1, 32767]) {
      using set = SemaphoreSet.create(key, { initial, removeOnClose: true });
      using same = await SemaphoreSet.openOrCreate(key, { timeout: 0 });
      assertEquals([same.id, same.values], [set.id, [initial]]);
    }
  }));

Deno.test("SemaphoreSet.openOrCreate waits for the creator, and says so if it does not come", () =>
  withKey(async (key) => {
    const id = createOnly(key);
    for (const timeout of [0, 50]) {
      const error = await assertRejects(
        () => SemaphoreSet.openOrCreate(key, { initial: 1, timeout }),
        TimeoutError,
      );
      assert(error.message.endsWith(`nobody gave it its values within ${timeout} ms`), error.message);
      assert(error.hint?.includes(`ipcrm -s ${id}`), error.hint);
    }
    const reason = new Error("No longer");
    const signal = AbortSignal.abort(reason);
    assertEquals(await assertRejects(() => SemaphoreSet.openOrCreate(key, { signal })), reason);
    const controller = new AbortController();
    const aborted = SemaphoreSet.openOrCreate(key, { signal: controller.signal, ...CEILING });
    setTimeout(() => controller.abort(reason), 20);
    assertEquals(await assertRejects(() => aborted), reason);

    // A creator that is late: values alone do not tell that they are there, the operation does.
    const opened = SemaphoreSet.openOrCreate(key, CEILING);
    using creator = SemaphoreSet.open(key);
    creator.setValues([6]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    assertEquals(creator.stat().lastOperationTime, undefined);
    creator.operateSync([{ index: 0, by: 1 }, { index: 0, by: -1 }]);
    using set = await opened;
    assertEquals(set.values, [6]);
  }));

Deno.test("SemaphoreSet.openOrCreate creates a set itself when the one that it waits for is removed", () =>
  withKey(async (key) => {
    const id = createOnly(key);
    const opened = SemaphoreSet.openOrCreate(key, { initial: 2, ...CEILING });
    await new Promise((resolve) => setTimeout(resolve, 20));
    setKind.control(id, constants.IPC_RMID, null);
    using set = await opened;
    assert(set.id !== id);
    assertEquals(set.values, [2]);
  }));

Deno.test("SemaphoreSet.openOrCreate in many processes at once: none sees a set without its values", async () => {
  const rounds = scaled(1000);
  const processes = 3;
  // Large, so that values take a while.
  const size = 400;
  const keys = Array.from({ length: rounds }, () => freeKey());
  await withSet(Array(rounds).fill(processes), async (gates) => {
    const source = `
      import { SemaphoreSet } from ${MOD};
      using gates = SemaphoreSet.open({ id: ${gates.id} });
      for (const [round, key] of ${JSON.stringify(keys)}.entries()) {
        const gate = gates.at(round);
        gate.acquireSync();
        gate.waitForZeroSync();
        using set = await SemaphoreSet.openOrCreate(key, { size: ${size}, initial: 5, timeout: ${CEILING.timeout} });
        const seen = set.values;
        if (seen.some((value) => value < 5)) console.log("saw " + seen);
        set.operateSync(seen.map((_, index) => ({ index, by: 1 })));
      }
      console.log("done");`;
    const crowd = Array.from({ length: processes }, () => new TestProcess(source));
    try {
      for (const each of crowd) assertEquals(await each.line(), "done");
      for (const key of keys) {
        using set = SemaphoreSet.open(key);
        assertEquals(set.values, Array(size).fill(5 + processes));
      }
    } finally {
      for (const each of crowd) await each[Symbol.asyncDispose]();
      for (const key of keys) removeKey(key);
    }
  });
});

Deno.test("SemaphoreSet.openOrCreate: the creator is killed at each of its calls", () =>
  withKey(async (key) => {
    const faults = JSON.stringify(import.meta.resolve("@ipc/core/testing"));
    const seen: string[] = [];
    for (let nth = 1;; nth++) {
      for (const kill of ["before", "after"]) {
        await using creator = new TestProcess(`
          import { withFault } from ${faults};
          import { SemaphoreSet } from ${MOD};
          await withFault({ nth: ${nth}, kill: "${kill}", symbols: ["semget", "semctl", "semop"] }, () =>
            SemaphoreSet.openOrCreate(${key}, { initial: 3 }));`);
        const { signal } = await creator.status;
        const found = setKind.get(key, 0, 0) !== -1;
        const outcome = await SemaphoreSet.openOrCreate(key, { initial: 3, timeout: 100 }).then(
          (set) => (set.close(), set.size === 1 ? "has its values" : ""),
          (error) => error.name,
        );
        if (outcome !== "TimeoutError") {
          using set = SemaphoreSet.open(key);
          assertEquals(set.values, [3]);
        }
        removeKey(key);
        if (signal === null) {
          assertEquals(seen[0], "not created, has its values");
          assertEquals(seen.at(-1), "created, has its values");
          assert(seen.includes("created, TimeoutError"));
          return;
        }
        seen.push(`${found ? "created" : "not created"}, ${outcome}`);
      }
    }
  }));

Deno.test(
  { name: "SemaphoreSet.openOrCreate does not trust a set of somebody else", ignore: !canBeAnother },
  () =>
    withKey(async (key) => {
      asUser(NOBODY, () => SemaphoreSet.create(key, { mode: 0o666 }).close());
      await assertRejects(() => SemaphoreSet.openOrCreate(key), UntrustedError);
      using set = await SemaphoreSet.openOrCreate(key, { allowOwner: NOBODY });
      assertEquals(set.values, [0]);
    }),
);
