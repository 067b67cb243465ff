import { assert, assertEquals, assertInstanceOf, assertRejects, assertThrows } from "@std/assert";
import { ClosedError, LimitError, NotFoundError, TimeoutError, UntrustedError } from "@ipc/core";
import { Mapping } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import process from "node:process";
import { Semaphore, SharedMemory } from "./mod.ts";
import { answer } from "./testdata/process.ts";
import {
  CEILING,
  fileOf,
  MOD,
  outcomes,
  parked,
  processWith,
  settled,
  until,
  withName,
  withSemaphore,
} from "./testdata/semaphores.ts";

leakCheck();

const MOST = 0x7fff_ffff;

Deno.test("Semaphore: acquire takes one, release gives one", () =>
  withSemaphore(async (semaphore) => {
    assertEquals(semaphore.value, 3);
    semaphore.acquireSync();
    await semaphore.acquire();
    assertEquals(semaphore.tryAcquire(), true);
    assertEquals(semaphore.tryAcquire(), false);
    assertEquals(semaphore.value, 0);
    semaphore.release();
    semaphore.release();
    assertEquals(semaphore.value, 2);
    semaphore.acquireSync({ timeout: 0 });
    await semaphore.acquire({ timeout: 0 });
    assertEquals(semaphore.value, 0);
  }, { initial: 3 }));

Deno.test("Semaphore: a wait that takes too long throws a TimeoutError, and takes nothing", () =>
  withSemaphore(async (semaphore) => {
    for (const timeout of [0, 1, 25.5]) {
      const start = performance.now();
      const error = await assertRejects(() => semaphore.acquire({ timeout }), TimeoutError);
      assertEquals(
        error.message,
        `Cannot acquire semaphore "${semaphore.name}": nothing happened within ${timeout} ms`,
      );
      const blocking = assertThrows(() => semaphore.acquireSync({ timeout }), TimeoutError);
      assertEquals(blocking.message, error.message);
      // Clocks round.
      assert(performance.now() - start >= 2 * timeout - 2);
    }
    semaphore.release();
    assertEquals(semaphore.value, 1);
    for (const timeout of [-1, NaN]) {
      await assertRejects(() => semaphore.acquire({ timeout }), RangeError);
      assertThrows(() => semaphore.acquireSync({ timeout }), RangeError);
    }
    for (const timeout of [1e300, Infinity]) {
      semaphore.acquireSync({ timeout });
      const acquired = semaphore.acquire({ timeout });
      semaphore.release();
      await acquired;
      semaphore.release();
    }
    assertEquals(semaphore.value, 1);
  }));

Deno.test("Semaphore.acquireSync blocks until another process releases, whatever its time limit", () =>
  withSemaphore(async (semaphore) => {
    for (const options of ["", "{ timeout: 20_000 }", "{ timeout: 1e300 }", "{ timeout: Infinity }"]) {
      await using other = await processWith(
        semaphore,
        `semaphore.acquireSync(${options}); console.log("acquired");`,
      );
      await other.blocked();
      semaphore.release();
      assertEquals(await other.line(), "acquired");
      assertEquals((await other.status).code, 0);
    }
    assertEquals(semaphore.value, 0);
  }));

Deno.test("Semaphore.acquireSync goes on waiting when a signal interrupts it", () =>
  withSemaphore(async (semaphore) => {
    for (const options of ["", "{ timeout: 20_000 }"]) {
      await using other = await processWith(
        semaphore,
        `Deno.addSignalListener("SIGWINCH", () => {});
         semaphore.acquireSync(${options});
         Deno.exit(3);`,
      );
      await other.blocked();
      for (let signals = 0; signals < 20; signals++) {
        process.kill(other.pid, "SIGWINCH");
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      await other.blocked();
      semaphore.release();
      assertEquals((await other.status).code, 3);
    }
  }));

Deno.test("Semaphore.release over SEM_VALUE_MAX is a LimitError, and changes nothing", () =>
  withSemaphore((semaphore) => {
    semaphore.release();
    const error = assertThrows(() => semaphore.release(), LimitError, "would pass 2147483647");
    assertEquals([error.code, error.syscall, error.target], ["EOVERFLOW", "sem_post", semaphore.name]);
    assertEquals(semaphore.value, MOST);
    semaphore.acquireSync();
    assertEquals(semaphore.value, MOST - 1);
  }, { initial: MOST - 1 }));

Deno.test("Semaphore: bad arguments are refused before anything is made", () =>
  withName((name) => {
    for (const initial of [-1, 0.5, NaN, MOST + 1, Infinity]) {
      assertThrows(() => Semaphore.create(name, { initial }), RangeError, "Cannot create semaphore with");
      assertThrows(() => Semaphore.openOrCreate(name, { initial }), RangeError);
    }
    for (const mode of [-1, 0o1000, 1.5]) assertThrows(() => Semaphore.create(name, { mode }), RangeError);
    for (const bad of ["", "x", "/", "/a/b", "/..", `/${"x".repeat(252)}`, "/\0"]) {
      assertThrows(() => Semaphore.create(bad), TypeError, "Cannot create semaphore");
      assertThrows(() => Semaphore.open(bad), TypeError, "Cannot open semaphore");
      assertThrows(() => Semaphore.openOrCreate(bad), TypeError);
      assertThrows(() => Semaphore.unlink(bad), TypeError, "Cannot unlink semaphore");
    }
    assertThrows(() => Semaphore.open(name), NotFoundError, `"${name}": no such semaphore`);
  }));

Deno.test("Semaphore.withLock holds while the function runs, and gives back however it ends", () =>
  withSemaphore(async (lock) => {
    assertEquals(await lock.withLock(() => lock.value), 0);
    assertEquals(await lock.withLock(async () => (await parked(), "later")), "later");
    await assertRejects(() => lock.withLock(() => Promise.reject(new TypeError("No"))), TypeError, "No");
    assertEquals(lock.value, 1);
    let inside = 0;
    let most = 0;
    await Promise.all(Array.from({ length: 20 }, () =>
      lock.withLock(async () => {
        most = Math.max(most, ++inside);
        await new Promise((resolve) => setTimeout(resolve, 0));
        inside--;
      })));
    assertEquals([most, lock.value], [1, 1]);
    lock.acquireSync();
    await assertRejects(() => lock.withLock(() => {}, { timeout: 5 }), TimeoutError);
    assertEquals(lock.value, 0);
  }, { initial: 1 }));

Deno.test("Semaphore.withLock gives back also what was closed meanwhile", () =>
  withSemaphore(async (semaphore) => {
    using handle = Semaphore.open(semaphore.name);
    await handle.withLock(async () => {
      await handle.withLock(() => handle.close());
      await parked();
      assertEquals(semaphore.value, 1);
    });
    assertEquals(semaphore.value, 2);
    assertThrows(() => handle.value, ClosedError);
  }, { initial: 2 }));

Deno.test("Semaphore.withLock gives back also what was closed before the function ran", () =>
  withSemaphore(async (semaphore) => {
    using handle = Semaphore.open(semaphore.name);
    const locked = handle.withLock(() => semaphore.value);
    handle.close();
    assertEquals([await locked, semaphore.value], [0, 1]);
  }, { initial: 1 }));

Deno.test("Semaphore.withLock: where the function and giving back fail, both errors are told", () =>
  withSemaphore(async (lock) => {
    const error = await assertRejects(
      () =>
        lock.withLock(() => {
          while (lock.value < MOST) lock.release();
          throw new TypeError("No");
        }),
      SuppressedError,
    );
    assertInstanceOf(error.error, LimitError);
    assertInstanceOf(error.suppressed, TypeError);
  }, { initial: MOST }));

Deno.test("Semaphore: after close every call throws a ClosedError, and other handles go on", () =>
  withSemaphore(async (semaphore) => {
    const handle = Semaphore.open(semaphore.name);
    const pending = outcomes([handle.acquire(), handle.acquire(CEILING), handle.withLock(() => {})]);
    await parked();
    handle.close();
    handle.close();
    await using _ = handle;
    const refused = (call: () => unknown) =>
      assertThrows(call, ClosedError, `semaphore "${semaphore.name}": it was closed here`);
    refused(() => handle.tryAcquire());
    refused(() => handle.acquireSync());
    refused(() => handle.release());
    refused(() => handle.value);
    refused(() => handle.unlink());
    await assertRejects(() => handle.acquire(), ClosedError);
    await assertRejects(() => handle.withLock(() => {}), ClosedError);
    semaphore.release();
    assertEquals(await pending, ["ClosedError", "ClosedError", "ClosedError"]);
    assertEquals(semaphore.value, 1);
  }));

Deno.test("Semaphore in a mapping: made once, and found by other handles and through other mappings", () =>
  withName(async (name) => {
    using memory = SharedMemory.create(name, 4096, { unlinkOnClose: true });
    using other = SharedMemory.open(name);
    using first = Semaphore.initialize(memory, 64, 2);
    using second = Semaphore.initialize(memory, 96, 0);
    using same = Semaphore.at(other, 64);
    assertEquals([first.name, first.value, second.value, same.value], [undefined, 2, 0, 2]);
    same.acquireSync();
    assertEquals(first.value, 1);
    const acquired = second.acquire(CEILING);
    await parked();
    Semaphore.at(other, 96).release();
    await acquired;
    assertEquals([first.value, second.value], [1, 0]);
    assertThrows(() => first.unlink(), TypeError, "semaphore at byte 64: it has no name");
    assertEquals(memory.bytes.slice(0, 64), new Uint8Array(64));
  }));

Deno.test("Semaphore in a mapping: what is not inside, not aligned or not to be written is refused", () => {
  using mapping = Mapping.anonymous(4096);
  for (
    const make of [
      (offset: number) => Semaphore.initialize(mapping, offset, 0),
      (offset: number) => Semaphore.at(mapping, offset),
    ]
  ) {
    for (const offset of [-8, 4065, 4072, 4096, 0.5, NaN]) {
      assertThrows(() => make(offset), RangeError, "it has 32 bytes");
    }
    for (const offset of [1, 4, 12]) assertThrows(() => make(offset), RangeError, "not a multiple of 8");
    make(4064).close();
  }
  for (const value of [-1, 0.5, MOST + 1]) {
    assertThrows(() => Semaphore.initialize(mapping, 0, value), RangeError);
  }
  assertEquals(mapping.bytes.slice(0, 4064), new Uint8Array(4064));
});

Deno.test("Semaphore.at: what nobody has initialized for several processes is refused", () => {
  using mapping = Mapping.anonymous(4096);
  const refused = () => {
    const error = assertThrows(() => Semaphore.at(mapping, 0), UntrustedError, "at byte 0: this libc has");
    assertEquals(error.code, "EUNTRUSTED");
  };
  // With musl what is zero is a semaphore.
  if (Deno.build.env !== "musl") refused();
  mapping.bytes.fill(0x11);
  refused();
  Semaphore.initialize(mapping, 0, 1).close();
  mapping.bytes[8]! ^= 1;
  refused();
  mapping.bytes[8]! ^= 1;
  Semaphore.at(mapping, 0).close();
});

Deno.test("Semaphore in memory that somebody made shorter is refused, and the process lives", () =>
  withName(async (name) => {
    using _memory = SharedMemory.create(name, 4096, { unlinkOnClose: true });
    const [at, initialize] = await answer(`
      import { Semaphore, SharedMemory } from ${MOD};
      using memory = SharedMemory.open("${name}");
      Deno.truncateSync("/dev/shm${name}", 0);
      const nameOf = (call) => { try { call(); } catch (error) { return error.name; } };
      const calls = [() => Semaphore.at(memory, 0), () => Semaphore.initialize(memory, 0, 1)];
      console.log(JSON.stringify(calls.map(nameOf)));`) as string[];
    assertEquals([at, initialize], ["TruncatedError", "TruncatedError"]);
  }));

Deno.test("Semaphore in a mapping for reading is refused", () =>
  withName((name) => {
    using memory = SharedMemory.create(name, 4096, { unlinkOnClose: true });
    using reading = SharedMemory.open(name, { access: "read" });
    Semaphore.initialize(memory, 0, 1).close();
    assertThrows(() => Semaphore.at(reading, 0), TypeError, "for reading");
    assertThrows(() => Semaphore.initialize(reading, 0, 1), TypeError, "for reading");
  }));

Deno.test("Semaphore in a mapping that was closed: every call throws a ClosedError", async () => {
  const mapping = Mapping.anonymous(4096);
  const semaphore = Semaphore.initialize(mapping, 8, 1);
  mapping.close();
  const refused = (call: () => unknown) =>
    assertThrows(call, ClosedError, "semaphore at byte 8: its mapping was closed");
  refused(() => semaphore.tryAcquire());
  refused(() => semaphore.acquireSync());
  refused(() => semaphore.release());
  refused(() => semaphore.value);
  await assertRejects(() => semaphore.acquire(), ClosedError);
  assertThrows(() => Semaphore.at(mapping, 0), ClosedError);
  semaphore.close();
});

Deno.test("Semaphore in a mapping that is closed while calls wait: they end, and what was taken stays", async () => {
  await withName(async (name) => {
    using memory = SharedMemory.create(name, 4096, { unlinkOnClose: true });
    for (const wait of [() => parked(), () => Promise.resolve()]) {
      const other = SharedMemory.open(name);
      const semaphore = Semaphore.initialize(other, 64, 0);
      using second = Semaphore.at(other, 64);
      const controller = new AbortController();
      const pending = outcomes([
        semaphore.acquire(),
        semaphore.acquire(CEILING),
        semaphore.withLock(() => {}),
        second.acquire({ signal: controller.signal }),
      ]);
      await wait();
      other.close();
      controller.abort();
      let names: string[] = [];
      pending.then((ended) => names = ended);
      // At once, and not when a wait looks again, which takes a second: some turns of the event loop are enough.
      for (let turns = 0; turns < 10; turns++) await new Promise((resolve) => setTimeout(resolve));
      assertEquals(names, ["ClosedError", "ClosedError", "ClosedError", "AbortError"]);
      // Nobody is counted as waiting any more, in the memory that others have.
      assertEquals([...new Int32Array(memory.buffer, 64, 2)], [0, 0]);
      semaphore.close();
    }
  });
  await settled();
});

Deno.test("Semaphore in a mapping whose lock holder closes the mapping", async () => {
  const mapping = Mapping.anonymous(4096);
  using lock = Semaphore.initialize(mapping, 0, 1);
  assertEquals(await lock.withLock(() => (mapping.close(), "done")), "done");
  assertThrows(() => lock.value, ClosedError);
});

Deno.test("Semaphore in memory whose buffer was transferred away goes on", () => {
  using mapping = Mapping.anonymous(4096);
  using semaphore = Semaphore.initialize(mapping, 0, 1);
  const moved = mapping.buffer.transfer();
  semaphore.release();
  assertEquals([semaphore.value, new Int32Array(moved)[0]], [2, 2]);
});

Deno.test("Semaphore in memory that is resized is found again, as long as it is inside", () =>
  withName(async (name) => {
    using memory = SharedMemory.create(name, 4096, { unlinkOnClose: true });
    using semaphore = Semaphore.initialize(memory, 4000, 1);
    for (const size of [1 << 20, 8192, 1 << 22]) {
      memory.resize(size);
      semaphore.acquireSync();
      const acquired = semaphore.acquire(CEILING);
      await parked();
      memory.resize(size + 4096);
      semaphore.release();
      await acquired;
      semaphore.release();
      assertEquals(semaphore.value, 1);
    }
    semaphore.acquireSync();
    let error: unknown;
    const cutAway = semaphore.acquire().catch((reason) => error = reason);
    await parked();
    memory.resize(4000);
    await until(() => error !== undefined);
    await cutAway;
    assertInstanceOf(error, RangeError);
    assertThrows(() => semaphore.release(), RangeError, "and the mapping 4000");
    assertThrows(() => semaphore.value, RangeError);
  }));

Deno.test("Semaphore.unlink takes the name away; who has the semaphore open goes on", () =>
  withSemaphore(async (semaphore) => {
    await using other = await processWith(semaphore, `semaphore.acquireSync(); console.log("acquired");`);
    semaphore.unlink();
    assertThrows(() => Semaphore.open(semaphore.name), NotFoundError);
    semaphore.release();
    assertEquals(await other.line(), "acquired");
    const error = assertThrows(() => semaphore.unlink(), NotFoundError, "it was unlinked already");
    assertEquals(error.target, semaphore.name);
    assertThrows(() => Semaphore.unlink(semaphore.name), NotFoundError, "no such semaphore");
    using next = Semaphore.create(semaphore.name, { initial: 5 });
    assertThrows(() => semaphore.unlink(), NotFoundError);
    using same = Semaphore.open(semaphore.name);
    assertEquals([semaphore.value, same.value], [0, 5]);
    Semaphore.unlink(semaphore.name);
    assertThrows(() => next.unlink(), NotFoundError);
  }));

Deno.test("unlinkOnClose is for who creates, and leaves alone what has the name by then", () =>
  withName((name) => {
    Semaphore.create(name, { unlinkOnClose: true }).close();
    assertThrows(() => Semaphore.open(name), NotFoundError);
    const first = Semaphore.openOrCreate(name, { unlinkOnClose: true });
    Semaphore.openOrCreate(name, { unlinkOnClose: true }).close();
    first.unlink();
    using other = Semaphore.create(name);
    first.close();
    assertEquals(other.value, 0);
    assert(Deno.statSync(fileOf(name)).isFile);
  }));
