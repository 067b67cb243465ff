import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ClosedError, IpcError, NotRecoverableError, TimeoutError } from "@ipc/core";
import { Mapping } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { Condition, Mutex, PthreadMutex } from "./mod.ts";
import { CEILING, opening, pause, settled, TestProcess, withMemory } from "./testdata/memory.ts";

leakCheck();

const LONG = { timeout: CEILING };

for (const Lock of [Mutex, PthreadMutex]) {
  const test = (title: string, fn: (memory: Mapping, path: string) => unknown) =>
    Deno.test(`Condition with ${Lock.name}: ${title}`, () => withMemory(fn));
  /** Another process with the handles of this. */
  const sharing = (path: string) =>
    `${opening(path)}
    const mutex = sync.${Lock.name}.at(memory, 0);
    const condition = sync.Condition.at(memory, 128);
    const other = sync.Condition.at(memory, 144);`;

  test("gives the lock up while it waits, and has it again with the same guard", async (memory) => {
    using mutex = Lock.initialize(memory, 0);
    using condition = Condition.initialize(memory, 128);
    using same = Condition.at(memory, 128);
    using guard = await mutex.lock();
    const waiting = condition.wait(guard, LONG);
    assertEquals(guard.held, false);
    {
      using second = mutex.lockSync();
      assertEquals([second.held, guard.held], [true, false]);
      same.notifyOne();
      await pause(5);
      assertEquals(guard.held, false);
    }
    await waiting;
    assertEquals([guard.held, guard.abandoned, mutex.tryLock()], [true, false, undefined]);
    guard.unlock();
    using next = mutex.tryLock();
    assert(next?.held);
  });

  test("an error finds the lock held again", async (memory) => {
    using mutex = Lock.initialize(memory, 0);
    using condition = Condition.initialize(memory, 128);
    using guard = mutex.lockSync();
    await assertRejects(() => condition.wait(guard, { timeout: 5 }), TimeoutError);
    assertEquals(guard.held, true);
    assertThrows(() => condition.waitSync(guard, { timeout: 5 }), TimeoutError);
    assertEquals(guard.held, true);
    const reason = new Error("Enough");
    const controller = new AbortController();
    const waiting = condition.wait(guard, { signal: controller.signal }).catch((error) => error);
    await pause(5);
    controller.abort(reason);
    assertEquals([await waiting, guard.held], [reason, true]);
    await assertRejects(() => condition.wait(guard, { signal: controller.signal }), Error, "Enough");
    const closing = condition.wait(guard).catch((error) => error);
    condition.close();
    assertEquals([(await closing).name, guard.held], ["ClosedError", true]);
    await assertRejects(
      () => condition.wait(guard),
      ClosedError,
      "condition at byte 128: it was closed here",
    );
    assertEquals(guard.held, true);
  });

  test("where the lock cannot be taken again, that is the error", async (memory) => {
    const mutex = Lock.initialize(memory, 0);
    using condition = Condition.initialize(memory, 128);
    const guard = mutex.lockSync();
    const waiting = condition.wait(guard, { timeout: 20 }).catch((error) => error);
    mutex.close();
    assertEquals([(await waiting).name, guard.held], ["ClosedError", false]);
    guard[Symbol.dispose]();
  });

  test("waitFor asks with the lock held, before and after each notification", async (memory) => {
    using mutex = Lock.initialize(memory, 0);
    using condition = Condition.initialize(memory, 128);
    let asked = 0;
    const done = mutex.withLock((guard) =>
      condition.waitFor(guard, () => {
        assertEquals(guard.held, true);
        return ++asked > 3;
      }, LONG)
    );
    while (asked <= 3) {
      await pause(1);
      condition.notifyAll();
    }
    await done;
    using guard = mutex.lockSync();
    condition.waitForSync(guard, () => true, { timeout: 0 });
    const late = "it did not come true within 10 ms";
    await assertRejects(() => condition.waitFor(guard, () => false, { timeout: 10 }), TimeoutError, late);
    assertThrows(() => condition.waitForSync(guard, () => false, { timeout: 10 }), TimeoutError, late);
    await assertRejects(() => condition.waitFor(guard, () => false, { timeout: -1 }), RangeError);
    const thrown = () => {
      throw new TypeError("No");
    };
    await assertRejects(() => condition.waitFor(guard, thrown), TypeError, "No");
    assertEquals(guard.held, true);
  });

  test("notifyAll lets all go on, here and in other processes", async (memory, path) => {
    using mutex = Lock.initialize(memory, 0);
    using condition = Condition.initialize(memory, 128);
    Condition.initialize(memory, 144).close();
    const words = new Int32Array(memory.buffer);
    const source = (wait: string) =>
      `${sharing(path)}
      ${wait.startsWith("await") ? "const guard = await mutex.lock()" : "const guard = mutex.lockSync()"};
      words[64]++;
      ${wait}(guard, () => words[65] === 1);
      guard.unlock();
      console.log("goes on");`;
    await using first = new TestProcess(source("await condition.waitFor"));
    await using second = new TestProcess(source("condition.waitForSync"));
    const here = mutex.withLock((
      guard,
    ) => (words[64]!++, condition.waitFor(guard, () => words[65] === 1, LONG)));
    for (let waiting = 0; waiting < 3;) waiting = await mutex.withLock(() => words[64]!);
    await mutex.withLock(() => words[65] = 1);
    condition.notifyAll();
    await here;
    assertEquals([await first.line(), await second.line()], ["goes on", "goes on"]);
  });

  test(
    "a bounded buffer of producers and consumers loses nothing and makes nothing",
    async (memory, path) => {
      using _mutex = Lock.initialize(memory, 0);
      using _full = Condition.initialize(memory, 128);
      using _empty = Condition.initialize(memory, 144);
      const words = new Int32Array(memory.buffer);
      const rounds = scaled(5000);
      // Words: 64 how many are there, at most 4; 65 the sum of what was taken.
      const producer = (sync: boolean) =>
        `${sharing(path)}
      for (let item = 1; item <= ${rounds}; item++) {
        const guard = ${sync ? "mutex.lockSync()" : "await mutex.lock()"};
        ${sync ? "other.waitForSync" : "await other.waitFor"}(guard, () => words[64] < 4);
        words[70 + words[64]++] = item;
        guard.unlock();
        condition.notifyOne();
      }`;
      const consumer = (sync: boolean) =>
        `${sharing(path)}
      for (let left = ${rounds}; left > 0; left--) {
        const guard = ${sync ? "mutex.lockSync()" : "await mutex.lock()"};
        ${sync ? "condition.waitForSync" : "await condition.waitFor"}(guard, () => words[64] > 0);
        words[65] += words[70 + --words[64]];
        guard.unlock();
        other.notifyOne();
      }`;
      await using first = new TestProcess(producer(true));
      await using second = new TestProcess(producer(false));
      await using third = new TestProcess(consumer(true));
      await using fourth = new TestProcess(consumer(false));
      for (const each of [first, second, third, fourth]) assertEquals((await each.status).code, 0);
      assertEquals([words[64], words[65]], [0, rounds * (rounds + 1)]);
    },
  );

  test("consumers that are killed take no notification from those who live", async (memory, path) => {
    using mutex = Lock.initialize(memory, 0);
    using condition = Condition.initialize(memory, 128);
    Condition.initialize(memory, 144).close();
    const words = new Int32Array(memory.buffer);
    const lock = async () => {
      const guard = await mutex.lock(LONG);
      if (guard.abandoned) guard.markConsistent();
      return guard;
    };
    for (let round = scaled(30); round > 0; round--) {
      await using killed = new TestProcess(`${sharing(path)}
        console.log("starts");
        for (;;) {
          const guard = mutex.lockSync();
          if (guard.abandoned) guard.markConsistent();
          condition.waitForSync(guard, () => words[64] > 0);
          guard.unlock();
        }`);
      assertEquals(await killed.line(), "starts");
      const taken = lock().then(async (guard) => {
        await condition.waitFor(guard, () => {
          if (guard.abandoned) guard.markConsistent();
          return words[64]! > 0;
        }, LONG);
        words[64]!--;
        guard.unlock();
      });
      const ending = pause(5 * Math.random()).then(() => killed.kill());
      await pause(5 * Math.random());
      const guard = await lock();
      words[64]!++;
      guard.unlock();
      condition.notifyOne();
      await Promise.all([taken, ending]);
      assertEquals(words[64], 0);
    }
  });

  test("an owner that died meanwhile is told of by the guard", async (memory, path) => {
    using mutex = Lock.initialize(memory, 0);
    using condition = Condition.initialize(memory, 128);
    Condition.initialize(memory, 144).close();
    using guard = await mutex.lock();
    const waiting = condition.wait(guard, LONG);
    await using owner = new TestProcess(`${sharing(path)}
      mutex.lockSync();
      condition.notifyOne();
      console.log("holds");
      setInterval(() => {}, 1e6);`);
    assertEquals(await owner.line(), "holds");
    await owner.kill();
    await waiting;
    assertEquals([guard.held, guard.abandoned], [true, true]);
    const given = condition.wait(guard, { timeout: 1 });
    await assertRejects(() => given, NotRecoverableError);
    assertEquals(guard.held, false);
  });
}

Deno.test("Condition: only a guard that is held waits", async () => {
  using mapping = Mapping.anonymous(4096);
  using mutex = Mutex.initialize(mapping, 0);
  using condition = Condition.initialize(mapping, 16);
  const guard = mutex.lockSync();
  guard.unlock();
  const error = await assertRejects(
    () => condition.wait(guard),
    IpcError,
    "the mutex is not held",
  ) as IpcError;
  assertEquals(error.code, "EPERM");
  assertThrows(() => condition.waitSync(guard), IpcError, "the mutex is not held");
  const held = mutex.lockSync();
  await assertRejects(() => condition.wait({ ...held, held: true }), TypeError, "no guard of a mutex");
  assertEquals(held.held, true);
  condition.close();
  assertThrows(() => condition.notifyOne(), ClosedError);
  assertThrows(() => condition.notifyAll(), ClosedError);
  await settled();
});
