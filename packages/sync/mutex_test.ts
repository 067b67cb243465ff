import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import {
  ClosedError,
  IpcError,
  NotRecoverableError,
  NotSupportedError,
  TimeoutError,
  UntrustedError,
} from "@ipc/core";
import { Mapping } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { MappedFile } from "../mmap/mod.ts";
import { Mutex } from "./mutex.ts";
import { CEILING, opening, settled, TestProcess, withMemory } from "./testdata/memory.ts";

leakCheck();

/** Runs a test with an anonymous mapping, and with a file. */
function both(name: string, test: (memory: Mapping) => unknown): void {
  Deno.test(`Mutex in anonymous memory: ${name}`, async () => {
    {
      using memory = Mapping.anonymous(4096);
      await test(memory);
    }
    await settled();
  });
  Deno.test(`Mutex in a file: ${name}`, () => withMemory(test));
}

both("one at a time, in each way of locking", async (memory) => {
  using mutex = Mutex.initialize(memory, 16);
  using same = Mutex.at(memory, 16);
  for (const lock of [() => mutex.lockSync(), () => mutex.tryLock()!, () => mutex.lock()]) {
    const guard = await lock();
    assertEquals([guard.held, guard.abandoned, guard.previousOwner], [true, false, undefined]);
    assertEquals(guard.mutex, mutex);
    assertEquals(same.tryLock(), undefined);
    await assertRejects(() => same.lock({ timeout: 1 }), TimeoutError);
    await assertRejects(() => mutex.lock({ timeout: 0 }), TimeoutError);
    guard.unlock();
    assertEquals(guard.held, false);
    using other = same.tryLock();
    assert(other?.held);
  }
});

both("who waits gets it when it is given back, in the order of the calls", async (memory) => {
  using mutex = Mutex.initialize(memory, 0);
  using same = Mutex.at(memory, 0);
  const first = await mutex.lock();
  const order: number[] = [];
  const waits = [1, 2, 3].map(async (number) => {
    using _guard = await same.lock({ timeout: CEILING });
    order.push(number);
  });
  first.unlock();
  await Promise.all(waits);
  assertEquals(order, [1, 2, 3]);
});

both("this thread would wait for itself: EDEADLK, through whichever handle", (memory) => {
  using mutex = Mutex.initialize(memory, 0);
  using same = Mutex.at(memory, 0);
  using _guard = mutex.lockSync();
  for (const each of [mutex, same]) {
    assertEquals((assertThrows(() => each.lockSync(), IpcError) as IpcError).code, "EDEADLK");
    assertEquals(each.tryLock(), undefined);
  }
});

both("a guard gives back once", (memory) => {
  using mutex = Mutex.initialize(memory, 0);
  const guard = mutex.lockSync();
  guard.unlock();
  for (const call of [() => guard.unlock(), () => guard.markConsistent()]) {
    assertEquals((assertThrows(call, IpcError) as IpcError).code, "EPERM");
  }
  const next = mutex.lockSync();
  guard[Symbol.dispose](); // Gives nothing of the next one back.
  assertEquals(mutex.tryLock(), undefined);
  next.unlock();
});

both("an aborted wait takes nothing", async (memory) => {
  using mutex = Mutex.initialize(memory, 0);
  using same = Mutex.at(memory, 0);
  const guard = mutex.lockSync();
  const stop = new AbortController();
  const waiting = assertRejects(() => same.lock({ signal: stop.signal }), Error, "enough");
  const other = same.lock({ timeout: CEILING });
  await new Promise((resolve) => setTimeout(resolve, 5));
  stop.abort(new Error("enough"));
  await waiting;
  guard.unlock();
  (await other).unlock();
  assertEquals(mutex.tryLock()?.abandoned, false);
});

both("a handle that is closed while it holds the lock abandons it", async (memory) => {
  const mutex = Mutex.initialize(memory, 0);
  using same = Mutex.at(memory, 0);
  const guard = mutex.lockSync();
  const waiting = same.lock({ timeout: CEILING });
  mutex.close();
  assertThrows(() => guard.unlock(), ClosedError);
  assertEquals(guard.held, false);
  const next = await waiting;
  assertEquals([next.abandoned, next.previousOwner], [true, { pid: Deno.pid }]);
  next.markConsistent();
  next.unlock();
  assertEquals(same.lockSync().abandoned, false);
});

both("what nobody repaired is given up for everybody", async (memory) => {
  const mutex = Mutex.initialize(memory, 0);
  mutex.lockSync();
  mutex.close();
  using second = Mutex.at(memory, 0);
  using third = Mutex.at(memory, 0);
  const guard = second.lockSync();
  assertEquals(guard.abandoned, true);
  const waiting = assertRejects(() => third.lock({ timeout: CEILING }), NotRecoverableError);
  guard.unlock();
  await waiting;
  for (const each of [second, third]) {
    assertThrows(() => each.lockSync(), NotRecoverableError, "nobody repaired");
    assertThrows(() => each.tryLock(), NotRecoverableError);
    await assertRejects(() => each.lock(), NotRecoverableError);
  }
  using fresh = Mutex.initialize(memory, 0);
  assertEquals(fresh.lockSync().abandoned, false);
});

both("withLock gives back however it ends", async (memory) => {
  using mutex = Mutex.initialize(memory, 0);
  assertEquals(await mutex.withLock((guard) => guard.held), true);
  await assertRejects(() => mutex.withLock(() => Promise.reject(new Error("inside"))), Error, "inside");
  mutex.lockSync().unlock();
});

both("close ends what waits, of the handle and of the mapping", async (memory) => {
  using mutex = Mutex.initialize(memory, 0);
  const same = Mutex.at(memory, 0);
  mutex.lockSync();
  const waiting = same.lock();
  same.close();
  same.close();
  assertInstanceOf(await waiting.catch((error) => error), ClosedError);
  const other = Mutex.at(memory, 0);
  const pending = other.lock();
  memory.close();
  assertInstanceOf(await pending.catch((error) => error), ClosedError);
  for (const each of [mutex, same, other]) {
    assertThrows(() => each.lockSync(), ClosedError);
    assertThrows(() => each.tryLock(), ClosedError);
    await assertRejects(() => each.lock(), ClosedError);
    assertEquals(each.closed, true);
  }
  assertThrows(() => Mutex.at(memory, 0), ClosedError);
});

both("nonsense in the word, which anybody may write, hangs nobody", (memory) => {
  const words = new Int32Array(memory.buffer);
  for (const nonsense of [0x4000_0000, -1, 0x7fff_ffff, -0x8000_0000, 3]) {
    using mutex = Mutex.initialize(memory, 0);
    Atomics.store(words, 2, nonsense);
    using guard = mutex.lockSync({ timeout: CEILING });
    assertEquals(guard.abandoned, true);
    guard.markConsistent();
  }
  // Nor does unlocking what is somebody else's by now.
  using mutex = Mutex.initialize(memory, 0);
  const guard = mutex.lockSync();
  Atomics.store(words, 2, 12345 << 8);
  assertThrows(() => guard.unlock(), IpcError, "not held through this guard any more");
  assertEquals([guard.held, words[2]], [false, 12345 << 8]);
});

both(
  "initialized again it is free, and one lock for all who had it open; while somebody holds it, refused",
  (memory) => {
    using mutex = Mutex.initialize(memory, 0);
    using same = Mutex.at(memory, 0);
    mutex.lockSync().unlock();
    const guard = same.lockSync();
    const error = assertThrows(() => Mutex.initialize(memory, 0), IpcError, "somebody holds it");
    assertEquals([(error as IpcError).code, guard.held], ["EBUSY", true]);
    guard.unlock();
    // Given up, as after a death without a repair.
    const owner = Mutex.at(memory, 0);
    owner.lockSync();
    owner.close();
    same.lockSync().unlock();
    assertThrows(() => mutex.lockSync(), NotRecoverableError);
    using again = Mutex.initialize(memory, 0);
    const held = same.lockSync();
    assertEquals([held.abandoned, again.tryLock(), mutex.tryLock()], [false, undefined, undefined]);
    held.unlock();
    again.lockSync().unlock();
  },
);

Deno.test("Mutex: in memory that has a file unknown to it there is no lock, nor in a copy of one's own", () =>
  withMemory((memory, path) => {
    using mutex = Mutex.initialize(memory, 0);
    using _held = mutex.lockSync();
    using unknown = Mapping.map(memory.fd);
    using through = Mutex.at(unknown, 0);
    assertThrows(() => through.tryLock(), NotSupportedError, "kept no descriptor");
    using copy = MappedFile.open(path, { access: "copy-on-write" });
    assertThrows(() => Mutex.at(copy, 0), TypeError, "not shared");
    assertThrows(() => Mutex.initialize(copy, 64), TypeError, "not shared");
  }));

Deno.test("Mutex: what is no mutex, and where none can be", async () => {
  using memory = Mapping.anonymous(64);
  assertThrows(() => Mutex.at(memory, 0), UntrustedError, "nobody has initialized one there");
  for (const offset of [-8, 4, 1.5, 56, 64, NaN, 2 ** 40]) {
    assertThrows(() => Mutex.initialize(memory, offset), RangeError, "Cannot initialize mutex at byte");
    assertThrows(() => Mutex.at(memory, offset), RangeError, "Cannot use mutex at byte");
  }
  Mutex.initialize(memory, 48).close();
  await withMemory((file, path) => {
    Mutex.initialize(file, 0).close();
    using reader = MappedFile.open(path, { access: "read" });
    assertThrows(() => Mutex.at(reader, 0), TypeError, "for reading");
    for (const begin of [1, 4]) {
      using odd = file.window(begin, 1024);
      assertThrows(() => Mutex.initialize(odd, 0), RangeError, "its address is not a multiple of 8");
      assertThrows(() => Mutex.at(odd, 0), RangeError, "its address is not a multiple of 8");
    }
    using even = file.window(16, 1024);
    Mutex.initialize(even, 0).close();
    Mutex.at(file, 16).close();
  });
});

Deno.test("Mutex in memory that is resized goes on, also while it is held", () =>
  withMemory((memory) => {
    using mutex = Mutex.initialize(memory, 0);
    const guard = mutex.lockSync();
    memory.grow(65536);
    assertEquals(mutex.tryLock(), undefined);
    guard.unlock();
    mutex.lockSync().unlock();
  }));

Deno.test("Mutex: as many handles as there are nonces, and each that was closed makes room", () =>
  withMemory((memory) => {
    using first = Mutex.initialize(memory, 0);
    const handles = Array.from({ length: 256 }, () => Mutex.at(memory, 0));
    try {
      for (const handle of handles) handle.lockSync().unlock();
      assertThrows(() => first.lockSync(), IpcError, "256 handles of the lock already");
      handles.pop()!.close();
      first.lockSync().unlock();
    } finally {
      for (const handle of handles) handle.close();
    }
  }));

Deno.test("Mutex between processes: a count that only the lock keeps is exact", () =>
  withMemory(async (memory, path) => {
    using mutex = Mutex.initialize(memory, 0);
    const words = new Int32Array(memory.buffer);
    const child = `${opening(path)}
      const mutex = Mutex.at(memory, 0);
      console.log("ready");
      for (let n = 0; n < 5000; n++) {
        using _guard = n % 5 === 0 ? await mutex.lock() : mutex.lockSync();
        words[100] = words[100] + 1;
      }
      memory.close();`;
    await using one = new TestProcess(child);
    await using two = new TestProcess(child);
    await Promise.all([one.line(), two.line()]);
    for (let n = 0; n < 5000; n++) {
      using guard = n % 5 === 0 ? await mutex.lock() : mutex.lockSync();
      words[100] = words[100]! + 1;
      assertEquals(guard.abandoned, false);
    }
    assertEquals([(await one.status).code, (await two.status).code], [0, 0]);
    assertEquals(words[100], 15000);
  }));
