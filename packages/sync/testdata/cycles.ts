/**
 * Opens, uses and closes handles of each kind in one mapping, so many times, and prints as JSON what that left:
 * `deno run -A --v8-flags=--expose-gc cycles.ts COUNT`.
 */

import type { Mapping } from "@ipc/core/sys";
import { resources, trackLeaks } from "@ipc/core/testing";
import { createMemfd } from "../../mmap/mod.ts";
import { Barrier, Condition, Event, Mutex, PthreadMutex, RwLock, Semaphore, SeqLock } from "../mod.ts";

/** What was left of a number of lives. */
export interface Left {
  /** Descriptors, mappings and objects, as `resources` tells them. */
  readonly things: string[];
  /** Bytes that JavaScript holds. */
  readonly held: number;
  readonly resident: number;
}

/** A wait that ends with its handle, now and then parked with the kernel. */
async function closedWaiting(handle: { close(): void }, waiting: Promise<unknown>, parked: boolean) {
  const ended = waiting.then(() => true, () => false);
  if (parked) await new Promise((resolve) => setTimeout(resolve, 0));
  handle.close();
  if (await ended) throw new Error("Expected a wait to end with its handle");
}

type Life = (memory: Mapping, number: number) => void | Promise<void>;

/** Each in turns is used, is closed while it holds, and is closed while it waits. */
const lives: Record<string, { make(memory: Mapping): { close(): void }; live: Life }> = {
  Mutex: {
    make: (memory) => Mutex.initialize(memory, 0),
    live: async (memory, number) => {
      using mutex = number % 2 === 0 ? Mutex.at(memory, 0) : Mutex.openOrInitialize(memory, 0);
      const guard = mutex.lockSync();
      if (guard.abandoned) guard.markConsistent();
      if (number % 4 === 1) return;
      if (number % 4 === 2) {
        using other = Mutex.at(memory, 0);
        await closedWaiting(other, other.lock(), number % 64 === 2);
      }
      guard.unlock();
    },
  },
  PthreadMutex: {
    make: (memory) => PthreadMutex.initialize(memory, 0),
    live: async (memory, number) => {
      using mutex = PthreadMutex.at(memory, 0);
      const guard = mutex.lockSync();
      if (guard.abandoned) guard.markConsistent();
      if (number % 4 === 1) return;
      if (number % 4 === 2) {
        using other = PthreadMutex.at(memory, 0);
        await closedWaiting(other, other.lock(), number % 64 === 2);
      }
      guard.unlock();
    },
  },
  RwLock: {
    make: (memory) => RwLock.initialize(memory, 0),
    live: async (memory, number) => {
      using lock = RwLock.at(memory, 0);
      if (number % 4 < 2) {
        const reading = lock.readSync();
        if (number % 4 === 0) return;
        using other = RwLock.at(memory, 0);
        await closedWaiting(other, other.write(), number % 64 === 1);
        return reading.unlock();
      }
      const writing = lock.writeSync();
      if (number % 4 === 2) return;
      if (!writing.abandoned) throw new Error("Expected to be told of a writer that has gone");
      writing.markConsistent();
      writing.unlock();
    },
  },
  Condition: {
    make: (memory) => {
      Mutex.initialize(memory, 64).close();
      return Condition.initialize(memory, 0);
    },
    live: async (memory, number) => {
      using condition = Condition.at(memory, 0);
      condition.notifyAll();
      if (number % 4 !== 0) return;
      using mutex = Mutex.at(memory, 64);
      using guard = await mutex.lock();
      await closedWaiting(condition, condition.wait(guard), number % 64 === 0);
    },
  },
  Event: {
    make: (memory) => Event.initialize(memory, 0),
    live: async (memory, number) => {
      using event = Event.at(memory, 0);
      event.set();
      await event.wait();
      event.reset();
      if (number % 4 === 0) await closedWaiting(event, event.wait(), number % 64 === 0);
    },
  },
  Barrier: {
    make: (memory) => Barrier.initialize(memory, 0, 2),
    live: async (memory, number) => {
      using barrier = Barrier.at(memory, 0);
      using other = Barrier.at(memory, 0);
      if (number % 4 === 0) return await closedWaiting(barrier, barrier.wait(), number % 64 === 0);
      await Promise.all([barrier.wait(), other.wait()]);
    },
  },
  Semaphore: {
    make: (memory) => Semaphore.initialize(memory, 0),
    live: async (memory, number) => {
      using semaphore = Semaphore.at(memory, 0);
      semaphore.release();
      semaphore.acquireSync();
      if (number % 4 === 0) await closedWaiting(semaphore, semaphore.acquire(), number % 64 === 0);
    },
  },
  SeqLock: {
    make: (memory) => SeqLock.initialize(memory, 0, { byteLength: 8 }),
    live: async (memory, number) => {
      using cell = SeqLock.at(memory, 0, { byteLength: 8 });
      cell.write(cell.read());
      if (number % 4 === 0) await closedWaiting(cell, cell.changed(), number % 64 === 0);
    },
  },
};

async function sample() {
  // Threads that wait for words, and handles of the runtime, end a little later.
  await new Promise((resolve) => setTimeout(resolve, 50));
  for (let round = 0; round < 3; round++) {
    (globalThis as { gc?: () => void }).gc!();
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  const { heapUsed, external, rss } = Deno.memoryUsage();
  return { things: resources(), held: heapUsed + external, resident: rss };
}

async function leftOf(name: string, count: number): Promise<Left> {
  const { make, live } = lives[name]!;
  using memfd = createMemfd("cycles", 4096);
  using memory = memfd.map();
  make(memory).close();
  const warm = Math.ceil(count / 4);
  for (let number = 0; number < warm; number++) await live(memory, number);
  const before = await sample();
  for (let number = 0; number < count; number++) await live(memory, number);
  const after = await sample();
  const things = [...after.things].filter(([line, times]) => times > (before.things.get(line) ?? 0));
  return {
    things: things.map(([line]) => line),
    held: after.held - before.held,
    resident: after.resident - before.resident,
  };
}

if (import.meta.main) {
  await trackLeaks();
  const left: Record<string, Left> = {};
  for (const name of Object.keys(lives)) left[name] = await leftOf(name, Number(Deno.args[0]));
  console.log(JSON.stringify(left));
}
