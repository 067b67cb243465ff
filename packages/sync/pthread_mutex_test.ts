import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ClosedError, IpcError, NotRecoverableError, TimeoutError, UntrustedError } from "@ipc/core";
import { Mapping } from "@ipc/core/sys";
import { everyFault, leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { pthread, tryLock } from "./_pthread.ts";
import { PthreadMutex } from "./mod.ts";
import { CEILING, opening, pause, TestProcess, withMemory } from "./testdata/memory.ts";

leakCheck();

const LONG = { timeout: CEILING };

/** Another process with the mutex at byte 0 as `mutex`; it says "started" at first. */
async function processWith(path: string, source: string): Promise<TestProcess> {
  const process = new TestProcess(`${opening(path)}
    const mutex = sync.PthreadMutex.at(memory, 0);
    console.log("started");
    ${source}`);
  if (await process.line() !== "started") throw new Error("The process has not started");
  return process;
}

function codeOf(call: () => unknown): string {
  return (assertThrows(call, IpcError) as IpcError).code;
}

Deno.test("PthreadMutex: one at a time, in each way of locking", () =>
  withMemory(async (memory) => {
    using mutex = PthreadMutex.initialize(memory, 8);
    using same = PthreadMutex.at(memory, 8);
    for (
      const lock of [() => mutex.lockSync(), () =>
        mutex.lockSync(LONG), () =>
        mutex.tryLock()!, () =>
        mutex.lock()]
    ) {
      const guard = await lock();
      assertEquals([guard.held, guard.abandoned, guard.previousOwner], [true, false, undefined]);
      assertEquals(guard.mutex, mutex);
      for (const each of [mutex, same]) {
        assertEquals(each.tryLock(), undefined);
        assertEquals(
          codeOf(() =>
            each.lockSync()
          ),
          "EDEADLK",
        );
        assertEquals(codeOf(() => each.lockSync(LONG)), "EDEADLK");
        await assertRejects(() => each.lock({ timeout: 5 }), TimeoutError, "within 5 ms");
        await assertRejects(() => each.lock({ timeout: 0 }), TimeoutError);
      }
      guard.markConsistent();
      guard.unlock();
      assertEquals(guard.held, false);
      assertEquals([codeOf(() => guard.unlock()), codeOf(() => guard.markConsistent())], ["EPERM", "EPERM"]);
      guard[Symbol.dispose]();
      using other = same.tryLock();
      assert(other?.held);
    }
    assertEquals(await mutex.withLock((guard) => guard.held), true);
    await assertRejects(() => mutex.withLock(() => Promise.reject(new TypeError("No"))), TypeError, "No");
    mutex.lockSync().unlock();
  }));

Deno.test("PthreadMutex: tasks of one program take turns, in the order of their calls", () =>
  withMemory(async (memory) => {
    using mutex = PthreadMutex.initialize(memory, 0);
    const order: number[] = [];
    await Promise.all([1, 2, 3, 4].map((number) =>
      mutex.withLock(async () => {
        order.push(number);
        await pause(1);
        order.push(number);
      }, LONG)
    ));
    assertEquals(order, [1, 1, 2, 2, 3, 3, 4, 4]);
  }));

Deno.test("PthreadMutex: two processes count to the same number, blocked and not", () =>
  withMemory(async (memory, path) => {
    using mutex = PthreadMutex.initialize(memory, 0);
    const words = new Int32Array(memory.buffer);
    const rounds = scaled(20_000);
    const count = `for (let left = ${rounds}; left > 0; left--) {
      const guard = mutex.lockSync();
      words[16]++;
      guard.unlock();
    }`;
    await using first = await processWith(path, count);
    await using second = await processWith(path, count);
    let here = 0;
    for (let left = 20; left > 0; left--, here++) await mutex.withLock(() => void words[16]!++, LONG);
    assertEquals([(await first.status).code, (await second.status).code], [0, 0]);
    assertEquals(words[16], 2 * rounds + here);
  }));

Deno.test("PthreadMutex: an owner that is killed: who waits is told, blocked and not, and goes on", () =>
  withMemory(async (memory, path) => {
    using mutex = PthreadMutex.initialize(memory, 0);
    for (let round = scaled(40); round > 0; round--) {
      await using owner = await processWith(
        path,
        `mutex.lockSync(); console.log("holds"); setInterval(() => {}, 1e6);`,
      );
      assertEquals(await owner.line(), "holds");
      const waiting = round % 2 === 0 ? mutex.lock(LONG) : undefined;
      await owner.kill();
      const guard = await (waiting ?? mutex.lockSync(LONG));
      assertEquals(guard.abandoned, true);
      guard.markConsistent();
      assertEquals(guard.abandoned, true);
      guard.unlock();
      using next = mutex.lockSync();
      assertEquals(next.abandoned, false);
    }
  }));

Deno.test("PthreadMutex: what is unlocked without being made consistent is given up for everybody", () =>
  withMemory(async (memory, path) => {
    using mutex = PthreadMutex.initialize(memory, 0);
    await using owner = await processWith(path, `mutex.lockSync(); Deno.kill(Deno.pid, "SIGKILL");`);
    await owner.status;
    const guard = mutex.tryLock()!;
    assertEquals(guard.abandoned, true);
    await using other = await processWith(
      path,
      `await mutex.lock().catch((error) => console.log(error.name));`,
    );
    guard.unlock();
    assertThrows(() => mutex.lockSync(), NotRecoverableError);
    assertThrows(() => mutex.tryLock(), NotRecoverableError);
    assertThrows(() => mutex.tryLock(), NotRecoverableError);
    await assertRejects(() => mutex.lock(), NotRecoverableError);
    assertEquals(await other.line(), "NotRecoverableError");
  }));

Deno.test("PthreadMutex: a process that ends while it holds it is told of too, and so is a Worker", () =>
  withMemory(async (memory, path) => {
    using mutex = PthreadMutex.initialize(memory, 0);
    await using ended = await processWith(path, "mutex.lockSync();");
    assertEquals((await ended.status).code, 0);
    {
      using guard = mutex.lockSync(LONG);
      assertEquals(guard.abandoned, true);
      guard.markConsistent();
    }
    await using process = await processWith(
      path,
      `const source = \`
         import { MappedFile } from "${new URL("../mmap/mod.ts", import.meta.url)}";
         import { PthreadMutex } from "${new URL("mod.ts", import.meta.url)}";
         PthreadMutex.at(MappedFile.open(${JSON.stringify(path)}), 0).lockSync();
         postMessage("holds");\`;
       const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
       const worker = new Worker(url, { type: "module" });
       await new Promise((resolve) => worker.onmessage = resolve);
       console.log(mutex.tryLock());
       worker.terminate();
       console.log((await mutex.lock()).abandoned);`,
    );
    assertEquals([await process.line(), await process.line()], ["undefined", "true"]);
  }));

Deno.test("PthreadMutex: an aborted or timed-out wait holds nothing, and one that is killed neither", () =>
  withMemory(async (memory, path) => {
    using mutex = PthreadMutex.initialize(memory, 0);
    using other = PthreadMutex.at(memory, 0);
    const guard = mutex.lockSync();
    const controller = new AbortController();
    const reason = new Error("Enough");
    const aborted = Array.from(
      { length: 100 },
      () => other.lock({ signal: controller.signal }).catch((error) => error),
    );
    const late = other.lock({ timeout: 15 }).catch((error) => error);
    await using killed = await processWith(path, "mutex.lock();");
    await using blocked = await processWith(path, "mutex.lockSync();");
    await blocked.blocked();
    controller.abort(reason);
    for (const error of await Promise.all(aborted)) assertEquals(error, reason);
    assertEquals((await late).name, "TimeoutError");
    await killed.kill();
    await blocked.kill();
    guard.unlock();
    using next = await other.lock(LONG);
    assertEquals(next.abandoned, false);
    await using waits = await processWith(
      path,
      `for (const options of [{ timeout: 0 }, { timeout: 20 }]) {
         try { mutex.lockSync(options); } catch (error) { console.log(error.name); }
       }`,
    );
    assertEquals([await waits.line(), await waits.line()], ["TimeoutError", "TimeoutError"]);
  }));

Deno.test("PthreadMutex: closing the handle or the mapping gives back what is held, and ends waits", () =>
  withMemory(async (memory, path) => {
    using kept = PthreadMutex.initialize(memory, 0);
    const handle = PthreadMutex.at(memory, 0);
    const guard = handle.lockSync();
    const waiting = handle.lock().catch((error) => error);
    handle.close();
    handle.close();
    assertEquals(guard.held, false);
    guard[Symbol.dispose]();
    assert(await waiting instanceof ClosedError);
    assertThrows(() => guard.unlock(), ClosedError, "it was closed here");
    assertThrows(() => handle.lockSync(), ClosedError);
    assertThrows(() => handle.tryLock(), ClosedError);
    await assertRejects(() => handle.lock(), ClosedError);

    await using other = await processWith(
      path,
      `const guard = mutex.lockSync();
       memory.close();
       console.log(guard.held);
       // libc would write into the memory that is gone.
       const mapping = (await import("@ipc/core/sys")).Mapping.anonymous(4096);
       for (let offset = 0; offset < 4000; offset += 48) sync.PthreadMutex.initialize(mapping, offset).lockSync();
       mapping.close();
       for (let round = 0; round < 100; round++) {
         const again = MappedFile.open(${JSON.stringify(path)});
         const locked = sync.PthreadMutex.at(again, 0).lockSync();
         again.close();
         console.assert(!locked.held);
       }
       console.log("alive");`,
    );
    assertEquals([await other.line(), await other.line(), (await other.status).code], ["false", "alive", 0]);
    using next = kept.lockSync(LONG);
    assertEquals(next.abandoned, false);
    memory.close();
    assertEquals(next.held, false);
    await assertRejects(() => kept.lock(), ClosedError, "its mapping was closed");
  }));

Deno.test("PthreadMutex: memory whose size changes while it is held, and libc goes on", async () => {
  await using other = new TestProcess(`
    import { SharedMemory } from ${JSON.stringify(new URL("../posix/mod.ts", import.meta.url).href)};
    import { Mapping } from "@ipc/core/sys";
    import { PthreadMutex } from ${JSON.stringify(new URL("mod.ts", import.meta.url).href)};
    using memory = SharedMemory.create("/ipc-test-" + crypto.randomUUID(), 4096, { unlinkOnClose: true });
    const mutex = PthreadMutex.initialize(memory, 0);
    for (let round = 1; round <= 20; round++) {
      const guard = mutex.lockSync();
      memory.resize(4096 + round * 65_536);
      const mapping = Mapping.anonymous(4096);
      PthreadMutex.initialize(mapping, 0).lockSync();
      mapping.close();
      guard.unlock();
      mutex.lockSync().unlock();
    }
    console.log("alive");`);
  assertEquals([await other.line(), (await other.status).code], ["alive", 0]);
});

Deno.test("PthreadMutex: several held in memory that grows, unlocked, closed: libc goes on, and nobody has one", async () => {
  await using other = new TestProcess(`
    import { MappedFile } from ${JSON.stringify(new URL("../mmap/mod.ts", import.meta.url).href)};
    import { PthreadMutex } from ${JSON.stringify(new URL("mod.ts", import.meta.url).href)};
    const path = Deno.makeTempFileSync();
    const memory = MappedFile.open(path, { size: 4096 });
    const same = MappedFile.open(path);
    Deno.removeSync(path);
    const mutexes = [0, 64, 128].map((offset) => PthreadMutex.initialize(memory, offset));
    const guards = mutexes.map((mutex) => mutex.lockSync());
    memory.grow(65_536);
    guards[1].unlock();
    guards[0].unlock();
    const last = PthreadMutex.at(same, 128);
    console.log(last.tryLock() === undefined);
    mutexes[2].close();
    for (const mutex of mutexes) mutex.close();
    memory.close();
    for (let round = 0; round < 3; round++) last.lockSync().unlock();
    console.log("alive");`);
  assertEquals([await other.line(), await other.line(), (await other.status).code], ["true", "alive", 0]);
});

Deno.test("PthreadMutex: an owner that is killed after the memory grew is told of", () =>
  withMemory(async (memory, path) => {
    using mutex = PthreadMutex.initialize(memory, 1024);
    await using other = new TestProcess(`
      import { MappedFile } from ${JSON.stringify(new URL("../mmap/mod.ts", import.meta.url).href)};
      import { PthreadMutex } from ${JSON.stringify(new URL("mod.ts", import.meta.url).href)};
      const memory = MappedFile.open(${JSON.stringify(path)});
      const guard = PthreadMutex.at(memory, 1024).lockSync();
      memory.grow(65_536);
      console.log(guard.held);
      setInterval(() => {}, 1000);`);
    assertEquals(await other.line(), "true");
    await other.kill();
    using guard = mutex.lockSync(LONG);
    assertEquals(guard.abandoned, true);
    guard.markConsistent();
  }));

Deno.test("PthreadMutex: what is no such mutex is refused", () =>
  withMemory((memory) => {
    assertThrows(() => PthreadMutex.at(memory, 0), UntrustedError, "nobody has initialized one there");
    memory.bytes.fill(0xff, 0, 64);
    assertThrows(() => PthreadMutex.at(memory, 0), UntrustedError);
    for (const offset of [-8, 4, 0.5, NaN, 4096, 4064]) {
      assertThrows(
        () => PthreadMutex.initialize(memory, offset),
        RangeError,
        "Cannot initialize pthread mutex",
      );
      assertThrows(() => PthreadMutex.at(memory, offset), RangeError, "Cannot use pthread mutex");
    }
    memory.close();
    assertThrows(() => PthreadMutex.at(memory, 0), ClosedError);
  }));

Deno.test("PthreadMutex under faults: every call that libc refuses is an error, and leaves nothing locked", async () => {
  using mapping = Mapping.anonymous(4096);
  const errnos = [1, 4, 11, 12, 22];
  let mutex: PthreadMutex | undefined;
  const report = await everyFault(async () => {
    mutex?.close();
    mutex = PthreadMutex.initialize(mapping, 0);
    mutex.lockSync(LONG).unlock();
    const guard = mutex.tryLock();
    if (guard === undefined) throw new IpcError("Cannot lock", {});
    const waiting = mutex.lock({ timeout: 300 }).then((next) => next[Symbol.dispose](), (error) => error);
    await pause(2);
    guard.unlock();
    const error = await waiting;
    if (error !== undefined) throw error;
  }, {
    errnos,
    verify: () => {
      mutex?.close();
      // What could not be unlocked the end of the handle has.
      assertEquals(tryLock(new Int32Array(mapping.buffer, 0, 12)), 0);
      assertEquals(pthread.pthread_mutex_unlock!(mapping.bytes.subarray(0, 48)), 0);
    },
  });
  assert(report.faults > 0 && report.errors > 0);
});

Deno.test("PthreadMutex: 1,000 pending waits leave file I/O alone", async () => {
  using mapping = Mapping.anonymous(64_000);
  const mutexes = Array.from({ length: 1000 }, (_, index) => PthreadMutex.initialize(mapping, 64 * index));
  const guards = mutexes.map((mutex) => mutex.lockSync());
  let locked = 0;
  const waits = mutexes.map((mutex) => mutex.lock(LONG).then((guard) => (locked++, guard.unlock())));
  const file = await Deno.makeTempFile();
  try {
    await Promise.all(Array.from({ length: 64 }, () => Deno.readTextFile(file)));
  } finally {
    await Deno.remove(file);
  }
  assertEquals(locked, 0);
  for (const guard of guards) guard.unlock();
  await Promise.all(waits);
  for (const mutex of mutexes) mutex.close();
});
