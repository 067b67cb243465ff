import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  ClosedError,
  IpcError,
  NotRecoverableError,
  OwnerDiedError,
  TimeoutError,
  UntrustedError,
} from "@ipc/core";
import { Mapping } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { RwLock } from "./rw_lock.ts";
import { CEILING, opening, pause, settled, TestProcess, until, withMemory } from "./testdata/memory.ts";

leakCheck();

/** Runs a test with an anonymous mapping, and with a file. */
function both(name: string, test: (memory: Mapping) => unknown): void {
  Deno.test(`RwLock in anonymous memory: ${name}`, async () => {
    {
      using memory = Mapping.anonymous(4096);
      await test(memory);
    }
    await settled();
  });
  Deno.test(`RwLock in a file: ${name}`, () => withMemory(test));
}

both("many read, or one writes", async (memory) => {
  using lock = RwLock.initialize(memory, 0);
  using same = RwLock.at(memory, 0);
  assertEquals([lock.readers, same.readers, RwLock.byteLength], [32, 32, 144]);
  const guards = [lock.readSync(), same.tryRead()!, await lock.read()];
  assertEquals(guards.every(({ held }) => held), true);
  assertEquals([lock.tryWrite(), same.tryWrite()], [undefined, undefined]);
  await assertRejects(() => same.write({ timeout: 1 }), TimeoutError);
  // Who gave up to write is in nobody's way.
  guards.push(same.readSync());
  for (const guard of guards) guard.unlock();
  for (const write of [() => lock.writeSync(), () => same.tryWrite()!, () => lock.write()]) {
    using guard = await write();
    assertEquals([guard.abandoned, guard.held], [false, true]);
    assertEquals([lock.tryRead(), same.tryRead(), same.tryWrite()], [undefined, undefined, undefined]);
    await assertRejects(() => same.read({ timeout: 1 }), TimeoutError);
  }
  lock.readSync().unlock();
});

both("writers come first, and readers follow", async (memory) => {
  using lock = RwLock.initialize(memory, 0);
  using same = RwLock.at(memory, 0);
  const order: string[] = [];
  const reading = lock.readSync();
  const writing = same.write({ timeout: CEILING }).then((guard) => (order.push("write"), guard));
  await pause(5);
  assertEquals(lock.tryRead(), undefined);
  const later = lock.read({ timeout: CEILING }).then((guard) => (order.push("read"), guard));
  await pause(5);
  reading.unlock();
  const writer = await writing;
  assertEquals(order, ["write"]);
  writer.unlock();
  (await later).unlock();
});

both("a writer who gives up lets readers go on, and the next writer too", async (memory) => {
  using lock = RwLock.initialize(memory, 0);
  using same = RwLock.at(memory, 0);
  using third = RwLock.at(memory, 0);
  const reading = lock.readSync();
  const stop = new AbortController();
  const first = assertRejects(() => same.write({ signal: stop.signal }), Error, "enough");
  const second = third.write({ timeout: CEILING }).then((guard) => guard.unlock());
  await pause(5);
  const later = lock.read({ timeout: CEILING }).then((guard) => guard.unlock());
  stop.abort(new Error("enough"));
  await first;
  reading.unlock();
  await Promise.all([second, later]);
});

both("this thread would wait for itself: EDEADLK", (memory) => {
  using lock = RwLock.initialize(memory, 0);
  const code = (call: () => unknown) => (assertThrows(call, IpcError) as IpcError).code;
  {
    using _reading = lock.readSync();
    assertEquals(code(() => lock.writeSync()), "EDEADLK");
    lock.readSync().unlock();
  }
  using _writing = lock.writeSync();
  assertEquals([code(() => lock.readSync()), code(() => lock.writeSync())], ["EDEADLK", "EDEADLK"]);
});

both("where all places are taken a reader waits for one", async (memory) => {
  using lock = RwLock.initialize(memory, 8, { readers: 4 });
  using same = RwLock.at(memory, 8);
  const guards = Array.from({ length: 4 }, () => same.readSync());
  assertEquals(lock.tryRead(), undefined);
  for (const guard of guards) {
    const waiting = lock.read({ timeout: CEILING });
    await pause(5);
    guard.unlock();
    (await waiting).unlock();
  }
  const guard = lock.readSync();
  guard.unlock();
  assertEquals((assertThrows(() => guard.unlock(), IpcError) as IpcError).code, "EPERM");
});

both("a handle that is closed: its readers are forgotten, its writer has abandoned", async (memory) => {
  using lock = RwLock.initialize(memory, 0);
  const reader = RwLock.at(memory, 0);
  reader.readSync();
  const waiting = lock.write({ timeout: CEILING });
  reader.close();
  (await waiting).unlock();
  const writer = RwLock.at(memory, 0);
  const torn = writer.writeSync();
  const reading = assertRejects(() => lock.read({ timeout: CEILING }), OwnerDiedError, "a writer died");
  writer.close();
  await reading;
  assertThrows(() => torn.unlock(), ClosedError);
  for (const call of [() => lock.readSync(), () => lock.tryRead()]) assertThrows(call, OwnerDiedError);
  using guard = lock.writeSync();
  assertEquals([guard.abandoned, guard.previousOwner], [true, { pid: Deno.pid }]);
  guard.markConsistent();
  guard.unlock();
  lock.readSync().unlock();
});

Deno.test("RwLock: a successor who gives up leaves the abandoned lock to the next; one who repairs nothing ends it", () =>
  withMemory(async (memory, path) => {
    using lock = RwLock.initialize(memory, 0);
    using reader = RwLock.at(memory, 0);
    const words = new Int32Array(memory.buffer);
    const slots = words.subarray(4, RwLock.byteLength / 4);
    const reading = reader.readSync();
    const slot = slots.findIndex((word) => word !== 0);
    const token = slots[slot]!;
    reading.unlock();
    await using process = new TestProcess(`${opening(path)}
      const guard = RwLock.at(memory, 0).writeSync();
      console.log("writes");
      await new Promise(() => setInterval(() => guard, 1000));`);
    assertEquals(await process.line(), "writes");
    await process.kill();
    // One who reads meanwhile, so that the successor has to wait.
    Atomics.store(slots, slot, token);
    await assertRejects(() => lock.write({ timeout: 5 }), TimeoutError);
    assertThrows(() => reader.readSync(), OwnerDiedError);
    Atomics.store(slots, slot, 0);
    const guard = lock.writeSync();
    assertEquals([guard.abandoned, guard.previousOwner], [true, undefined]);
    guard.unlock();
    const calls = [
      () => lock.readSync(),
      () => lock.writeSync(),
      () => lock.tryRead(),
      () => lock.tryWrite(),
    ];
    for (const call of calls) assertThrows(call, NotRecoverableError);
  }));

Deno.test("RwLock: a writer that is killed while it waits has touched nothing, and is forgotten", () =>
  withMemory(async (memory, path) => {
    using lock = RwLock.initialize(memory, 0);
    const reading = lock.readSync();
    await using process = new TestProcess(`${opening(path)}
      console.log("waits");
      await RwLock.at(memory, 0).write();`);
    assertEquals(await process.line(), "waits");
    const words = new Int32Array(memory.buffer);
    await until(() => Atomics.load(words, 2) !== 0, "it has the writer's word");
    await process.kill();
    lock.readSync({ timeout: CEILING }).unlock();
    Atomics.store(words, 2, 12345 << 8 | 1 << 31);
    reading.unlock();
    using guard = lock.writeSync({ timeout: CEILING });
    assertEquals(guard.abandoned, false);
  }));

both(
  "initialized again it is one lock for all who had it open; while somebody holds it, refused",
  (memory) => {
    using lock = RwLock.initialize(memory, 0);
    using same = RwLock.at(memory, 0);
    same.readSync().unlock();
    for (const hold of [() => same.readSync(), () => same.writeSync()]) {
      using held = hold();
      assertThrows(() => RwLock.initialize(memory, 0), IpcError, "somebody holds it");
      assertEquals(held.held, true);
    }
    using again = RwLock.initialize(memory, 0);
    using _reading = same.readSync();
    assertEquals([again.tryWrite(), lock.tryWrite()], [undefined, undefined]);
  },
);

Deno.test("RwLock: a handle that is closed while it waits to write, after the memory was resized, blocks nobody", () =>
  withMemory(async (memory) => {
    using lock = RwLock.initialize(memory, 0);
    const reading = lock.readSync();
    const writer = RwLock.at(memory, 0);
    const waiting = assertRejects(() => writer.write(), ClosedError);
    await pause(5);
    memory.grow(memory.byteLength + 4096);
    writer.close();
    await waiting;
    (await lock.read({ timeout: CEILING })).unlock();
    reading.unlock();
  }));

both("a handle that is closed while it waits to write has changed nothing", async (memory) => {
  using lock = RwLock.initialize(memory, 0);
  const reading = lock.readSync();
  const writer = RwLock.at(memory, 0);
  const waiting = assertRejects(() => writer.write(), ClosedError);
  await pause(5);
  assertEquals(lock.tryRead(), undefined);
  writer.close();
  await waiting;
  lock.readSync().unlock();
  reading.unlock();
  assertEquals(lock.writeSync().abandoned, false);
});

both("nonsense in the words, which anybody may write, hangs nobody", (memory) => {
  const words = new Int32Array(memory.buffer);
  for (const nonsense of [0x4000_0000, -1, 0x7fff_ffff, -0x8000_0000, 3]) {
    using lock = RwLock.initialize(memory, 0);
    Atomics.store(words, 2, nonsense);
    // With the sign set it is one who still waited.
    if (nonsense < 0) lock.readSync({ timeout: CEILING }).unlock();
    else assertThrows(() => lock.readSync({ timeout: CEILING }), OwnerDiedError);
    Atomics.store(words, 5, nonsense);
    const guard = lock.writeSync({ timeout: CEILING });
    assertEquals(guard.abandoned, nonsense > 0);
    guard.markConsistent();
    guard.unlock();
    lock.readSync().unlock();
  }
});

both("close ends what waits, of the handle and of the mapping", async (memory) => {
  using lock = RwLock.initialize(memory, 0);
  lock.writeSync();
  const same = RwLock.at(memory, 0);
  const pending = [same.read(), same.write()].map((wait) => assertRejects(() => wait, ClosedError));
  same.close();
  await Promise.all(pending);
  const other = RwLock.at(memory, 0);
  const later = [other.read(), other.write()].map((wait) => assertRejects(() => wait, ClosedError));
  memory.close();
  await Promise.all(later);
  for (const each of [lock, same, other]) {
    assertThrows(() => each.tryRead(), ClosedError);
    assertThrows(() => each.writeSync(), ClosedError);
    await assertRejects(() => each.write(), ClosedError);
  }
});

Deno.test("RwLock: what is none, and where none can be", () => {
  using memory = Mapping.anonymous(160);
  assertThrows(() => RwLock.at(memory, 0), UntrustedError);
  for (const readers of [0, 1, 6, 4100, NaN]) {
    assertThrows(() => RwLock.initialize(memory, 0, { readers }), RangeError, "multiple of 4");
  }
  assertThrows(() => RwLock.initialize(memory, 24), RangeError, "it has 144 bytes");
  using lock = RwLock.initialize(memory, 16);
  const words = new Int32Array(memory.buffer);
  for (const readers of [0, 5, -4, 36, 4096, 2 ** 30]) {
    Atomics.store(words, 4 + 3, readers);
    assertThrows(() => RwLock.at(memory, 16), UntrustedError);
  }
  assertEquals(lock.closed, false);
});

const [FIRST, SECOND] = [100, 101];

Deno.test("RwLock between processes: no reader ever sees half of a write, also where writers and readers are killed", () =>
  withMemory(async (memory, path) => {
    using lock = RwLock.initialize(memory, 0, { readers: 8 });
    const words = new Int32Array(memory.buffer);
    const child = (write: boolean) =>
      `${opening(path)}
      const lock = RwLock.at(memory, 0);
      for (let n = 0;; n++) {
        if (${write}) {
          const guard = n % 3 === 0 ? await lock.write() : lock.writeSync();
          if (guard.abandoned) {
            words[${SECOND}] = words[${FIRST}];
            guard.markConsistent();
          }
          words[${FIRST}]++;
          for (let spin = 0; spin < 3000; spin++) Atomics.load(words, 500);
          words[${SECOND}]++;
          guard.unlock();
        } else {
          try {
            const guard = n % 3 === 0 ? await lock.read() : lock.readSync();
            if (words[${FIRST}] !== words[${SECOND}]) words[102] = 1;
            words[103]++;
            guard.unlock();
          } catch (error) {
            if (error.name !== "OwnerDiedError") words[102] = 2;
          }
        }
        if (n % 16 === 0) await pause(1);
      }`;
    const processes = [true, true, false, false].map((write) => new TestProcess(child(write)));
    const [WRITES, READS] = [FIRST, 103];
    const goesOn = async () => {
      for (const index of [WRITES, READS]) {
        const before = Atomics.load(words, index);
        await until(() => Atomics.load(words, index) !== before, "writers and readers go on");
      }
    };
    try {
      await goesOn();
      for (let kills = 0; kills < scaled(60); kills++) {
        await pause(Math.random() * 5);
        const [dead] = processes.splice(kills % 4, 1, new TestProcess(child(kills % 4 < 2)));
        await dead![Symbol.asyncDispose]();
        await goesOn();
      }
    } finally {
      for (const process of processes) await process[Symbol.asyncDispose]();
    }
    using guard = await lock.write({ timeout: CEILING });
    guard.markConsistent();
    assertEquals(words[102], 0);
    assert(guard.abandoned || words[FIRST] === words[SECOND]);
  }));
