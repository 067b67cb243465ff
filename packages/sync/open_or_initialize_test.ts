import { assertEquals, assertThrows } from "@std/assert";
import { UntrustedError } from "@ipc/core";
import { Mapping } from "@ipc/core/sys";
import { leakCheck } from "@ipc/core/testing";
import { scaled } from "../core/testdata/child.ts";
import { Barrier } from "./barrier.ts";
import { Condition } from "./condition.ts";
import { Event } from "./event.ts";
import { Mutex } from "./mutex.ts";
import { PthreadMutex } from "./pthread_mutex.ts";
import { RwLock } from "./rw_lock.ts";
import { Semaphore } from "./semaphore.ts";
import { SeqLock } from "./seq_lock.ts";
import { opening, TestProcess, withMemory } from "./testdata/memory.ts";

leakCheck();

const PROCESSES = 3;
const ROUNDS = scaled(200);

const makers = {
  Barrier: (memory: Mapping) => Barrier.openOrInitialize(memory, 0, 3),
  Condition: (memory: Mapping) => Condition.openOrInitialize(memory, 0),
  Event: (memory: Mapping) => Event.openOrInitialize(memory, 0),
  Mutex: (memory: Mapping) => Mutex.openOrInitialize(memory, 0),
  PthreadMutex: (memory: Mapping) => PthreadMutex.openOrInitialize(memory, 0),
  RwLock: (memory: Mapping) => RwLock.openOrInitialize(memory, 0),
  Semaphore: (memory: Mapping) => Semaphore.openOrInitialize(memory, 0, { value: 3 }),
  SeqLock: (memory: Mapping) => SeqLock.openOrInitialize(memory, 0, { byteLength: 4 }),
};

for (const [name, make] of Object.entries(makers)) {
  Deno.test(`${name}: made where nothing is, found where it is, refused where something else is`, () => {
    using memory = Mapping.anonymous(4096);
    const words = new Int32Array(memory.buffer);
    make(memory).close();
    const made = [...words];
    assertEquals(made.some((word) => word !== 0), true);
    make(memory).close();
    assertEquals([...words], made);
    words.fill(0x1234_5678);
    assertThrows(() => make(memory), UntrustedError);
    assertEquals(words.every((word) => word === 0x1234_5678), true);
  });
}

Deno.test("programs that start together all come to the same: nobody makes anew what another has begun to use", () =>
  withMemory(async (memory, path) => {
    const each = 64;
    memory.grow(Math.max(8192, (2 * ROUNDS + 1) * each));
    const words = new Int32Array(memory.buffer);
    const source = `${opening(path)}
      console.log("ready");
      while (Atomics.load(words, 0) === 0) await pause(1);
      let taken = 0;
      for (let round = 1; round <= ${ROUNDS}; round++) {
        using places = sync.Semaphore.openOrInitialize(memory, round * ${each}, { value: ${PROCESSES} });
        if (places.tryAcquire()) taken++;
        using mutex = Mutex.openOrInitialize(memory, (${ROUNDS} + round) * ${each});
        { using guard = mutex.lockSync(); words[((${ROUNDS} + round) * ${each}) / 4 + 8]++; }
      }
      console.log(taken);`;
    const processes = Array.from({ length: PROCESSES }, () => new TestProcess(source));
    try {
      for (const process of processes) assertEquals(await process.line(), "ready");
      Atomics.store(words, 0, 1);
      for (const process of processes) assertEquals(await process.line(), String(ROUNDS));
    } finally {
      for (const process of processes) await process[Symbol.asyncDispose]();
    }
    for (let round = 1; round <= ROUNDS; round++) {
      using places = Semaphore.at(memory, round * each);
      assertEquals(places.value, 0);
      assertEquals(words[(ROUNDS + round) * each / 4 + 8], PROCESSES);
    }
  }));

Deno.test("one that is killed while it makes something keeps nobody from making it", () =>
  withMemory(async (memory, path) => {
    await using process = new TestProcess(`${opening(path)}
      const { store } = Atomics;
      let stores = 0;
      Atomics.store = (...parts) => {
        if (++stores === 3) Deno.kill(Deno.pid, "SIGKILL");
        return store(...parts);
      };
      sync.Semaphore.openOrInitialize(memory, 0, { value: 7 });`);
    await process.line().catch(() => {});
    await process.kill();
    using places = Semaphore.openOrInitialize(memory, 0, { value: 5 });
    assertEquals(places.value, 5);
  }));
