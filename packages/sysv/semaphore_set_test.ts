import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import {
  AlreadyExistsError,
  ClosedError,
  ERRNO,
  IPC_PRIVATE,
  IpcError,
  LimitError,
  NotFoundError,
  PermissionError,
  RemovedError,
  TimeoutError,
} from "@ipc/core";
import { interceptCalls, setErrno } from "@ipc/core/sys";
import { everyFault, leakCheck } from "@ipc/core/testing";
import { type SemaphoreOperation, SemaphoreSet } from "./mod.ts";
import { freeKey, withKey } from "./testdata/objects.ts";
import { answer, asUser, canBeAnother, NOBODY, withLimits } from "./testdata/process.ts";
import { CEILING, MOD, processWith, until, withSet } from "./testdata/semaphore_sets.ts";
import { warmUpWaiting } from "./_waiting/mod.ts";

await warmUpWaiting();
leakCheck();

Deno.test("SemaphoreSet.create gives a set its size, values and mode, open finds it by key and id", () =>
  withKey((key) => {
    using set = SemaphoreSet.create(key, { initial: [1, 0, 32767], mode: 0o640 });
    assertEquals([set.key, set.size, set.values, set.stat().mode], [key, 3, [1, 0, 32767], 0o640]);
    assertThrows(() => SemaphoreSet.create(key), AlreadyExistsError);
    using byKey = SemaphoreSet.open(key);
    using byId = SemaphoreSet.open({ id: set.id });
    assertEquals([byKey.id, byId.id, byKey.key, byId.key], [set.id, set.id, key, key]);
    assertEquals([byKey.size, byId.size], [3, 3]);
    byKey.at(1).release(4);
    assertEquals(byId.at(1).value, 4);
    assertThrows(() => SemaphoreSet.open(freeKey()), NotFoundError, "no such semaphore set");
  }));

Deno.test("SemaphoreSet.create has one semaphore of value 0 unless told", () => {
  using set = SemaphoreSet.create(IPC_PRIVATE, { removeOnClose: true });
  assertEquals([set.values, set.stat().semaphores, set.stat().mode], [[0], 1, 0o600]);
  using larger = SemaphoreSet.create(IPC_PRIVATE, { size: 3, initial: 5, removeOnClose: true });
  assertEquals(larger.values, [5, 5, 5]);
  using highest = SemaphoreSet.create(IPC_PRIVATE, { initial: 32767, removeOnClose: true });
  assertEquals(highest.values, [32767]);
});

Deno.test("SemaphoreSet.create checks its arguments before it calls the kernel", () => {
  const calls: string[] = [];
  interceptCalls((symbol, args, real) => (calls.push(symbol), real(...args)));
  try {
    for (
      const options of [
        { size: 0 },
        { size: -1 },
        { size: 1.5 },
        { size: 65537 },
        { initial: [] },
        { initial: -1 },
        { initial: 32768 },
        { initial: [0, 0.5] },
        { size: 3, initial: [1, 2] },
      ]
    ) {
      assertThrows(
        () => SemaphoreSet.create(IPC_PRIVATE, options),
        RangeError,
        "Cannot create semaphore set",
      );
    }
  } finally {
    interceptCalls(undefined);
  }
  assertEquals(calls, []);
});

Deno.test("SemaphoreSet.create over SEMMSL is a LimitError, and leaves nothing", () => {
  const error = assertThrows(() => SemaphoreSet.create(IPC_PRIVATE, { size: 65536 }), LimitError, "SEMMSL");
  assertEquals([error.code, error.syscall], ["EINVAL", "semget"]);
});

const oneSet = withLimits({ sem: "10 100 5 1" });

Deno.test(
  { name: "SemaphoreSet.create over SEMMNI and SEMMSL, operate over SEMOPM", ignore: !oneSet },
  async () => {
    const told = await answer(
      `import { IPC_PRIVATE, SemaphoreSet } from ${MOD};
     const tell = (call) => { try { call(); return "done"; } catch (error) { return [error.name, error.code, error.message]; } };
     const large = tell(() => SemaphoreSet.create(IPC_PRIVATE, { size: 11 }));
     const set = SemaphoreSet.create(IPC_PRIVATE, { size: 10 });
     const second = tell(() => SemaphoreSet.create(IPC_PRIVATE));
     const step = { index: 0, by: 1 };
     const five = tell(() => set.operateSync([step, step, step, step, step]));
     const six = tell(() => set.operateSync([step, step, step, step, step, step]));
     console.log(JSON.stringify([large, second.slice(0, 2), five, six.slice(0, 2), set.at(0).value]));`,
      { before: oneSet },
    );
    assertEquals(told, [
      ["LimitError", "EINVAL", "Cannot create semaphore set: 11 semaphores are more than SEMMSL"],
      ["LimitError", "ENOSPC"],
      "done",
      ["LimitError", "E2BIG"],
      5,
    ]);
  },
);

Deno.test("SemaphoreSet with removeOnClose is removed by its creator's close only", () =>
  withKey((key) => {
    const set = SemaphoreSet.create(key, { removeOnClose: true });
    SemaphoreSet.open(key).close();
    assertEquals(set.stat().key, key);
    set.close();
    set.close();
    assertThrows(() => SemaphoreSet.open(key), NotFoundError);
    SemaphoreSet.create(key).close();
    SemaphoreSet.open(key).close();
  }));

Deno.test("SemaphoreSet.setValues, at and operate check their arguments", () =>
  withSet([1, 2], (set) => {
    assertThrows(() => set.at(2), RangeError, "there is no semaphore 2, the set has 2");
    for (const index of [-1, 0.5, NaN]) assertThrows(() => set.at(index), RangeError);
    for (const values of [[1], [1, 2, 3], [-1, 1], [32768, 1]]) {
      assertThrows(() => set.setValues(values), RangeError);
    }
    const bad: SemaphoreOperation[][] = [
      [],
      [{ index: 2, by: 1 }],
      [{ index: -1, by: 1 }],
      [{ index: 0, by: 1 }, { index: 0, by: 32768 }],
      [{ index: 0, by: -32769 }],
      [{ index: 0, by: 0.5 }],
    ];
    for (const operations of bad) {
      assertThrows(() => set.tryOperate(operations), RangeError, "Cannot operate on semaphore set");
      assertThrows(() => set.operateSync(operations), RangeError);
    }
    assertEquals(set.values, [1, 2]);
    set.setValues([5, 32767]);
    assertEquals(set.values, [5, 32767]);
  }));

Deno.test("SemaphoreSet.operate does all or nothing", () =>
  withSet([1, 0, 3], async (set) => {
    const both = [{ index: 0, by: -1 }, { index: 1, by: -1 }];
    assertEquals(set.tryOperate(both), false);
    assertThrows(() => set.operateSync(both, { timeout: 20 }), TimeoutError, "nothing happened within 20 ms");
    await assertRejects(() => set.operate(both, { timeout: 20 }), TimeoutError);
    assertThrows(() => set.operateSync(both, { timeout: 0 }), TimeoutError);
    assertEquals(set.values, [1, 0, 3]);
    set.at(1).release();
    assertEquals(set.tryOperate(both), true);
    assertEquals(set.values, [0, 0, 3]);
    set.operateSync([{ index: 0, by: 0 }, { index: 0, by: 2 }, { index: 2, by: -3 }], { timeout: 0 });
    assertEquals(set.values, [2, 0, 0]);
    // Later operations of a call see what earlier ones have done.
    set.operateSync([{ index: 1, by: 5 }, { index: 1, by: -5 }, { index: 1, by: 0 }]);
    assertEquals(set.values, [2, 0, 0]);
  }));

Deno.test("SemaphoreSet.operate waits until all is possible: async, blocking, and in another process", () =>
  withSet([0, 0], async (set) => {
    const operations = JSON.stringify([{ index: 0, by: -2 }, { index: 1, by: -1 }]);
    const pending = set.operate(JSON.parse(operations), CEILING);
    set.at(0).release(2);
    await assertRejects(() => set.operate(JSON.parse(operations), { timeout: 20 }), TimeoutError);
    set.at(1).release();
    await pending;
    assertEquals(set.values, [0, 0]);
    await using process = await processWith(
      set,
      `set.operateSync(${operations}, { timeout: ${CEILING.timeout} });
       set.operateSync([{ index: 1, by: 7 }]);`,
    );
    await until(() => set.at(0).waitersForIncrease === 1);
    set.at(0).release(2);
    await until(() => set.at(1).waitersForIncrease === 1);
    set.at(1).release();
    assertEquals((await process.status).success, true);
    assertEquals(set.values, [0, 7]);
  }));

Deno.test("SemaphoreSet.operate with nowait fails where that operation would have to wait", () =>
  withSet([1, 0], async (set) => {
    const operations = [{ index: 0, by: -1 }, { index: 1, by: -1, nowait: true }];
    const wouldWait = (error: IpcError) => {
      assertEquals([error.name, error.code, error.syscall], ["IpcError", "EAGAIN", "semop"]);
    };
    assertEquals(set.tryOperate(operations), false);
    wouldWait(assertThrows(() => set.operateSync(operations), IpcError, "would have to wait that must not"));
    wouldWait(assertThrows(() => set.operateSync(operations, CEILING), IpcError));
    wouldWait(await assertRejects(() => set.operate(operations, CEILING), IpcError));
    assertEquals(set.values, [1, 0]);
    // Each finds what those before it have done.
    const twice = [{ index: 0, by: -1 }, { index: 0, by: -1, nowait: true }];
    wouldWait(await assertRejects(() => set.operate(twice, CEILING), IpcError));
    const given = [{ index: 1, by: 1 }, { index: 1, by: -1, nowait: true }, { index: 0, by: -2 }];
    await assertRejects(() => set.operate(given, { timeout: 20 }), TimeoutError);

    // The other one may wait; what it waits for comes, and then the second fails.
    set.at(0).acquireSync();
    assertThrows(() => set.operateSync(operations, { timeout: 20 }), TimeoutError);
    // A timeout would look once more at its end.
    const failing = set.operate(operations, { signal: AbortSignal.timeout(CEILING.timeout) });
    await new Promise((resolve) => setTimeout(resolve, 5));
    set.at(0).release();
    wouldWait(await assertRejects(() => failing, IpcError));
    assertEquals(set.values, [1, 0]);

    set.at(0).acquireSync();
    const succeeding = set.operate(operations, CEILING);
    await new Promise((resolve) => setTimeout(resolve, 5));
    set.operateSync([{ index: 0, by: 1 }, { index: 1, by: 1 }]);
    await succeeding;
    assertEquals(set.values, [0, 0]);
  }));

Deno.test({
  name: "SemaphoreSet.operate with nowait needs no permission to look at the values",
  ignore: !canBeAnother,
  fn: () => {
    using set = SemaphoreSet.create(IPC_PRIVATE, { mode: 0o222, removeOnClose: true });
    using same = SemaphoreSet.open({ id: set.id });
    asUser(NOBODY, () => {
      const error = assertThrows(() => same.operateSync([{ index: 0, by: -1, nowait: true }]), IpcError);
      assertEquals(error.code, "EAGAIN");
    });
  },
});

Deno.test("SemaphoreSet.operate with nowait blocks a process only for the other operations", () =>
  withSet([0, 0], async (set) => {
    await using process = await processWith(
      set,
      `try { set.operateSync([{ index: 0, by: -1 }, { index: 1, by: 0, nowait: true }, { index: 1, by: -1, nowait: true }]); }
       catch (error) { console.log(error.code); }`,
    );
    await until(() => set.at(0).waitersForIncrease === 1);
    set.at(0).release();
    assertEquals(await process.line(), "EAGAIN");
    assertEquals(set.values, [1, 0]);
  }));

Deno.test("SemaphoreSet.operate over SEMVMX is a LimitError, and changes nothing", () =>
  withSet([32767, 0], async (set) => {
    const operations = [{ index: 1, by: 1 }, { index: 0, by: 1 }];
    for (const call of [() => set.operateSync(operations), () => set.tryOperate(operations)]) {
      const error = assertThrows(call, LimitError, "would pass 32767");
      assertEquals([error.code, error.errno, error.syscall], ["ERANGE", ERRNO.ERANGE, "semop"]);
    }
    await assertRejects(() => set.operate(operations), LimitError);
    assertEquals(set.values, [32767, 0]);
  }));

Deno.test("SemaphoreSet.operate with more undo than the kernel has room for is a LimitError with a hint", () =>
  withSet([1], (set) => {
    interceptCalls((symbol, args, real) => {
      if (symbol !== "semop") return real(...args);
      setErrno(ERRNO.ENOSPC);
      return -1;
    });
    try {
      const error = assertThrows(() => set.at(0).acquireSync(1, { undo: true }), LimitError);
      assert(error.hint?.includes("SEMMNU"));
    } finally {
      interceptCalls(undefined);
    }
    assertEquals(set.values, [1]);
  }));

Deno.test("SemaphoreSet.stat and set: owner, mode and times", () =>
  withSet([0, 0], (set) => {
    const { creatorUid, creatorGid, semaphores, lastOperationTime, mode, key } = set.stat();
    assertEquals([creatorUid, creatorGid, semaphores, mode, key], [
      Deno.uid(),
      Deno.gid(),
      2,
      0o600,
      IPC_PRIVATE,
    ]);
    assertInstanceOf(lastOperationTime, Date);
    set.set({ mode: 0o604 });
    assertEquals(set.stat().mode, 0o604);
    assertThrows(() => set.set({ mode: 0o1000 }), RangeError);
  }));

Deno.test("SemaphoreSet: a handle that was closed throws, the set stays", () =>
  withSet([1], async (set) => {
    const handle = SemaphoreSet.open({ id: set.id });
    const semaphore = handle.at(0);
    await handle[Symbol.asyncDispose]();
    const step = [{ index: 0, by: 1 }];
    for (
      const call of [
        () => handle.values,
        () => handle.setValues([1]),
        () => handle.tryOperate(step),
        () => handle.operateSync(step),
        () => handle.stat(),
        () => handle.set({ mode: 0o600 }),
        () => handle.remove(),
        () => semaphore.value,
        () => semaphore.setValue(1),
        () => semaphore.tryAcquire(),
        () => semaphore.acquireSync(),
        () => semaphore.release(),
        () => semaphore.tryWaitForZero(),
        () => semaphore.waitForZeroSync(),
      ]
    ) assertThrows(call, ClosedError, "it was closed here");
    await assertRejects(() => handle.operate(step), ClosedError);
    await assertRejects(() => semaphore.acquire(), ClosedError);
    await assertRejects(() => semaphore.waitForZero(), ClosedError);
    await assertRejects(() => semaphore.withLock(() => {}), ClosedError);
    assertEquals(set.values, [1]);
  }));

Deno.test("SemaphoreSet: after removal every call throws a RemovedError", () =>
  withSet([1], async (set) => {
    using other = SemaphoreSet.open({ id: set.id });
    const semaphore = other.at(0);
    set.remove();
    const step = [{ index: 0, by: 1 }];
    for (
      const call of [
        () => set.remove(),
        () => other.values,
        () => other.setValues([1]),
        () => other.tryOperate(step),
        () => other.operateSync(step),
        () => other.operateSync(step, CEILING),
        () => other.stat(),
        () => other.set({ mode: 0o600 }),
        () => semaphore.value,
        () => semaphore.setValue(1),
        () => semaphore.tryAcquire(),
        () => semaphore.acquireSync(),
        () => semaphore.acquireSync(1, CEILING),
        () => semaphore.release(),
        () => semaphore.waitForZeroSync(),
        () => SemaphoreSet.open({ id: set.id }),
      ]
    ) assertThrows(call, RemovedError, "it was removed");
    await assertRejects(() => other.operate(step), RemovedError);
    await assertRejects(() => semaphore.acquire(), RemovedError);
    await assertRejects(() => semaphore.waitForZero(), RemovedError);
  }));

Deno.test(
  { name: "SemaphoreSet: another user may do what the mode says", ignore: !canBeAnother },
  () =>
    withSet([1], (set) => {
      using handle = SemaphoreSet.open({ id: set.id });
      asUser(NOBODY, () => {
        for (
          const call of [
            () => handle.tryOperate([{ index: 0, by: 0 }]),
            () => handle.at(0).release(),
            () => handle.values,
            () => handle.setValues([1]),
            () => handle.at(0).value,
            () => handle.set({ mode: 0o666 }),
            () => handle.remove(),
          ]
        ) assertThrows(call, PermissionError);
      });
      // Reading is to look and to wait for zero; everything else is to alter.
      set.set({ mode: 0o644 });
      asUser(NOBODY, () => {
        assertEquals([handle.values, handle.at(0).tryWaitForZero()], [[1], false]);
        assertThrows(() => handle.at(0).acquireSync(), PermissionError);
      });
      set.set({ mode: 0o622 });
      asUser(NOBODY, () => {
        handle.at(0).acquireSync();
        assertThrows(() => handle.values, PermissionError);
      });
      assertEquals(set.values, [0]);
    }),
);

Deno.test("SemaphoreSet under faults: every call fails in turn, nothing is left", async () => {
  const report = await everyFault(async () => {
    using set = SemaphoreSet.create(IPC_PRIVATE, { initial: [1, 0], removeOnClose: true });
    set.operateSync([{ index: 0, by: -1 }, { index: 1, by: 1 }]);
    await set.at(1).acquire();
    set.setValues([1, 1]);
    set.at(0).acquireSync(1, { timeout: 1000 });
    set.at(0).setValue(2);
    assert(set.tryOperate([{ index: 0, by: -2 }]));
    await set.at(0).waitForZero();
    assertEquals(set.values, [0, 1]);
    await set.at(1).withLock(() => set.stat());
    set.set({ mode: 0o640 });
  }, {
    errnos: [ERRNO.EACCES, ERRNO.EIDRM, ERRNO.ENOMEM, ERRNO.ENOSPC, ERRNO.EPERM],
    // The last call is removal itself.
    symbols: ["semget", "semop", "semtimedop"],
    verify: ({ error }) => {
      if (error !== undefined) assertInstanceOf(error, IpcError);
    },
  });
  assert(report.errors > 5);
});
