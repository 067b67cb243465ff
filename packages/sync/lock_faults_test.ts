/** Every call into libc of everything that is locked goes wrong in turn. */

import { assert, assertEquals } from "@std/assert";
import { ERRNO, IpcError } from "@ipc/core";
import { type Mapping, wordDiagnostics } from "@ipc/core/sys";
import { everyFault, leakCheck, trackLeaks } from "@ipc/core/testing";
import { Mutex, PthreadMutex, RwLock } from "./mod.ts";
import type { LockGuard } from "./mutex_guard.ts";
import { CEILING, pause, until, withMemory } from "./testdata/memory.ts";

leakCheck();

const ERRNOS = [ERRNO.EINTR, ERRNO.EAGAIN, ERRNO.ENOMEM, ERRNO.EACCES, ERRNO.EMFILE, ERRNO.ENOLCK, ERRNO.EIO];
const LONG = { timeout: CEILING };

/** A lock of which one at a time has it, whatever it is called. */
interface Lock extends Disposable {
  lock(options?: { timeout?: number }): Promise<LockGuard>;
  lockSync(options?: { timeout?: number }): LockGuard;
  tryLock(): LockGuard | undefined;
}

interface Locks {
  at(memory: Mapping): Lock;
  initialize(memory: Mapping): Lock;
  openOrInitialize(memory: Mapping): Lock;
  /** Whether what is closed while it holds the lock counts as dead. */
  dies: boolean;
}

function writing(lock: RwLock): Lock {
  return {
    lock: (options) => lock.write(options),
    lockSync: (options) => lock.writeSync(options),
    tryLock: () => lock.tryWrite(),
    [Symbol.dispose]: () => lock.close(),
  };
}

const all: Record<string, Locks> = {
  Mutex: {
    at: (memory) => Mutex.at(memory, 0),
    initialize: (memory) => Mutex.initialize(memory, 0),
    openOrInitialize: (memory) => Mutex.openOrInitialize(memory, 0),
    dies: true,
  },
  PthreadMutex: {
    at: (memory) => PthreadMutex.at(memory, 0),
    initialize: (memory) => PthreadMutex.initialize(memory, 0),
    openOrInitialize: (memory) => PthreadMutex.openOrInitialize(memory, 0),
    dies: false,
  },
  "RwLock, to write": {
    at: (memory) => writing(RwLock.at(memory, 0)),
    initialize: (memory) => writing(RwLock.initialize(memory, 0)),
    openOrInitialize: (memory) => writing(RwLock.openOrInitialize(memory, 0)),
    dies: true,
  },
};

/** Gives it back, and whole again. */
function giveBack(guard: LockGuard): void {
  if (guard.abandoned) guard.markConsistent();
  guard.unlock();
}

function descriptors(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

type Operation = (memory: Mapping) => void | Promise<void>;

const operations = (locks: Locks): Record<string, Operation> => ({
  "lock, lockSync and tryLock": async (memory) => {
    using lock = locks.at(memory);
    giveBack(await lock.lock(LONG));
    giveBack(lock.lockSync());
    giveBack(lock.lockSync(LONG));
    giveBack(lock.tryLock()!);
  },
  "who waits gets it": async (memory) => {
    using lock = locks.at(memory);
    using other = locks.at(memory);
    const held = lock.lockSync();
    const waiting = other.lock(LONG);
    waiting.catch(() => {});
    await pause(2);
    giveBack(held);
    giveBack(await waiting);
  },
  "what is held is not locked once more": async (memory) => {
    using lock = locks.at(memory);
    using other = locks.at(memory);
    const held = lock.lockSync();
    assertEquals(other.tryLock(), undefined);
    let refused: unknown;
    try {
      other.lockSync(LONG);
    } catch (error) {
      refused = error;
    }
    giveBack(held);
    if (!(refused instanceof IpcError && refused.code === "EDEADLK")) throw refused;
    await other.lock({ timeout: 0 }).then(giveBack);
  },
  "what a dead owner has left is taken over": async (memory) => {
    if (!locks.dies) return;
    using other = locks.at(memory);
    {
      using lock = locks.at(memory);
      const guard = lock.lockSync();
      if (guard.abandoned) guard.markConsistent();
    }
    const guard = await other.lock(LONG);
    assert(guard.abandoned);
    giveBack(guard);
  },
  initialize: (memory) => {
    using lock = locks.initialize(memory);
    giveBack(lock.lockSync());
  },
  openOrInitialize: (memory) => {
    memory.bytes.fill(0);
    using lock = locks.openOrInitialize(memory);
    using same = locks.openOrInitialize(memory);
    giveBack(lock.lockSync());
    giveBack(same.lockSync());
  },
});

const reading: Record<string, Operation> = {
  "read, readSync and tryRead": async (memory) => {
    using lock = RwLock.at(memory, 0);
    using one = await lock.read(LONG);
    using two = lock.readSync();
    using three = lock.tryRead()!;
    assertEquals([one.held, two.held, three.held], [true, true, true]);
  },
  "a writer waits for readers, and they for it": async (memory) => {
    using lock = RwLock.at(memory, 0);
    using other = RwLock.at(memory, 0);
    const first = lock.readSync();
    const writing = other.write(LONG);
    const then = writing.then(giveBack);
    then.catch(() => {});
    const behind = pause(2).then(() => lock.read(LONG));
    behind.catch(() => {});
    await pause(4);
    first.unlock();
    await then;
    (await behind).unlock();
  },
  "a reader that has died is forgotten": async (memory) => {
    using other = RwLock.at(memory, 0);
    {
      using lock = RwLock.at(memory, 0);
      lock.readSync();
    }
    giveBack(await other.write(LONG));
  },
};

function test(title: string, locks: Locks, operate: Operation): void {
  Deno.test(title, () =>
    withMemory(async (memory) => {
      await trackLeaks();
      locks.initialize(memory)[Symbol.dispose]();
      const before = descriptors();
      const report = await everyFault(() => operate(memory), {
        errnos: ERRNOS,
        verify: async ({ error }) => {
          assert(error === undefined || error instanceof IpcError, String(error));
          // Whatever went wrong, the next one gets it.
          using lock = locks.openOrInitialize(memory);
          giveBack(lock.lockSync(LONG));
          giveBack(await lock.lock(LONG));
          lock[Symbol.dispose]();
          await until(() => wordDiagnostics().poolThreads === 0, "a thread still waits");
          assertEquals(descriptors(), before);
        },
      });
      assert(report.faults > 0);
    }));
}

for (const [name, locks] of Object.entries(all)) {
  for (const [title, operate] of Object.entries(operations(locks))) {
    if (locks.dies || !title.includes("dead")) test(`${name} under faults: ${title}`, locks, operate);
  }
}
for (const [title, operate] of Object.entries(reading)) {
  test(`RwLock, to read, under faults: ${title}`, all["RwLock, to write"]!, operate);
}
