/** All that can be waited for, as one thing, so that what they promise alike is tested alike. */

import type { SyncOptions, WaitOptions } from "@ipc/core";
import type { Mapping } from "@ipc/core/sys";
import type * as Sync from "../mod.ts";
import { opening, TestProcess } from "./memory.ts";

/** The functions are also given to other processes as their source: they use nothing but their parameters. */
export interface Kind<Handle extends { close(): void }> {
  /** Makes one that nobody could go on at. */
  make(sync: typeof Sync, memory: Mapping): Handle;
  /** Finds it. */
  at(sync: typeof Sync, memory: Mapping): Handle;
  /** Waits. */
  wait(handle: Handle, options?: WaitOptions): Promise<unknown>;
  /** Waits, blocking the thread. */
  waitSync(handle: Handle, options?: SyncOptions): unknown;
  /** Lets one who waits go on. */
  wake(handle: Handle): void;
}

export type AnyKind = Kind<{ close(): void }>;

function kind<Handle extends { close(): void }>(kind: Kind<Handle>): AnyKind {
  return kind as unknown as AnyKind;
}

interface Conditional {
  mutex: Sync.Mutex;
  condition: Sync.Condition;
  close(): void;
}

/** By the names that tests call them. */
export const kinds: Record<string, AnyKind> = {
  Semaphore: kind<Sync.Semaphore>({
    make: (sync, memory) => sync.Semaphore.initialize(memory, 64),
    at: (sync, memory) => sync.Semaphore.at(memory, 64),
    wait: (semaphore, options) => semaphore.acquire(1, options),
    waitSync: (semaphore, options) => semaphore.acquireSync(1, options),
    wake: (semaphore) => semaphore.release(),
  }),
  "greedy Semaphore": kind<Sync.Semaphore>({
    make: (sync, memory) => sync.Semaphore.initialize(memory, 64, { value: 2 }),
    at: (sync, memory) => sync.Semaphore.at(memory, 64),
    wait: (semaphore, options) => semaphore.acquire(3, options),
    waitSync: (semaphore, options) => semaphore.acquireSync(3, options),
    wake: (semaphore) => semaphore.release(3),
  }),
  "manual Event": kind<Sync.Event>({
    make: (sync, memory) => sync.Event.initialize(memory, 64),
    at: (sync, memory) => sync.Event.at(memory, 64),
    wait: (event, options) => event.wait(options),
    waitSync: (event, options) => event.waitSync(options),
    wake: (event) => event.set(),
  }),
  "auto Event": kind<Sync.Event>({
    make: (sync, memory) => sync.Event.initialize(memory, 64, { reset: "auto" }),
    at: (sync, memory) => sync.Event.at(memory, 64),
    wait: (event, options) => event.wait(options),
    waitSync: (event, options) => event.waitSync(options),
    wake: (event) => event.set(),
  }),
  Barrier: kind<Sync.Barrier>({
    make: (sync, memory) => sync.Barrier.initialize(memory, 64, 2),
    at: (sync, memory) => sync.Barrier.at(memory, 64),
    wait: (barrier, options) => barrier.wait(options),
    waitSync: (barrier, options) => barrier.waitSync(options),
    wake: (barrier) => void barrier.wait().catch(() => {}),
  }),
  SeqLock: kind<Sync.SeqLock<Uint8Array>>({
    make: (sync, memory) => sync.SeqLock.initialize(memory, 64, { byteLength: 1 }),
    at: (sync, memory) => sync.SeqLock.at(memory, 64, { byteLength: 1 }),
    wait: (cell, options) => cell.changed(options),
    waitSync: (cell, options) => cell.changedSync(options),
    wake: (cell) => cell.write(new Uint8Array(1)),
  }),
  Condition: kind<Conditional>({
    make: (sync, memory) => {
      const [mutex, condition] = [sync.Mutex.initialize(memory, 64), sync.Condition.initialize(memory, 128)];
      return { mutex, condition, close: () => (condition.close(), mutex.close()) };
    },
    at: (sync, memory) => {
      const [mutex, condition] = [sync.Mutex.at(memory, 64), sync.Condition.at(memory, 128)];
      return { mutex, condition, close: () => (condition.close(), mutex.close()) };
    },
    wait: ({ mutex, condition }, options) => mutex.withLock((guard) => condition.wait(guard, options)),
    waitSync: ({ mutex, condition }, options) => {
      const guard = mutex.lockSync();
      try {
        condition.waitSync(guard, options);
      } finally {
        guard.unlock();
      }
    },
    wake: ({ condition }) => condition.notifyOne(),
  }),
};

/** Another process with a handle of one as `handle`, and these functions as `kind`; it says "started" at first. */
export async function processWith(kind: AnyKind, path: string, source: string): Promise<TestProcess> {
  const { at, wait, waitSync, wake } = kind;
  const process = new TestProcess(`${opening(path)}
    const kind = { at: ${at}, wait: ${wait}, waitSync: ${waitSync}, wake: ${wake} };
    const handle = kind.at(sync, memory);
    console.log("started");
    ${source}`);
  if (await process.line() !== "started") throw new Error("The process has not started");
  return process;
}
