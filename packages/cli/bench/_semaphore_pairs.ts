/** Two semaphores between two processes: what one end gives the other takes. */

import { Semaphore, SharedMemory } from "@ipc/posix";
import { Semaphore as SemaphoreInMemory } from "@ipc/sync";
import { IPC_PRIVATE, SemaphoreSet } from "@ipc/sysv";

/** A semaphore, as far as it is measured. */
export interface OneSemaphore {
  /** Gives one. */
  release(): void;
  /** Takes one. */
  acquire(): Promise<void>;
  /** Takes one, blocking this thread. */
  acquireSync(): void;
}

/** Both semaphores, as one process has them. */
export interface Both extends Disposable {
  /** What the near end gives. */
  readonly there: OneSemaphore;
  /** What the far end gives. */
  readonly back: OneSemaphore;
}

/** Both, in the process that has made them. */
export interface Made extends Both {
  /** With which arguments the far end opens them. */
  readonly args: readonly string[];
  /** To be called once it has. */
  met?(): void;
}

/** One kind of semaphores. */
export interface SemaphorePair {
  /** Its name. */
  readonly name: string;
  /** Makes both; disposing them removes them. */
  make(): Made;
  /** Opens both. */
  open(args: readonly string[]): Both;
}

/** Every kind. */
export const pairs: readonly SemaphorePair[] = [
  {
    name: "sysv-semaphores",
    make() {
      const set = SemaphoreSet.create(IPC_PRIVATE, { size: 2, removeOnClose: true });
      return { ...members(set), args: [String(set.id)] };
    },
    open: ([id]) => members(SemaphoreSet.open({ id: Number(id) })),
  },
  {
    name: "posix-semaphores",
    make() {
      const args = ["there", "back"].map((end) => `/ipc-bench-${crypto.randomUUID()}-${end}`);
      const made = both(args.map((name) => Semaphore.create(name, { unlinkOnClose: true })));
      return { ...made, args, met: () => made.semaphores.forEach((semaphore) => semaphore.unlink()) };
    },
    open: (names) => both(names.map((name) => Semaphore.open(name))),
  },
  {
    name: "sync-semaphores",
    make() {
      const name = `/ipc-bench-${crypto.randomUUID()}`;
      const memory = SharedMemory.create(name, 4096, { unlinkOnClose: true });
      const made = OFFSETS.map((offset) => SemaphoreInMemory.initialize(memory, offset));
      return { ...inMemory(memory, made), args: [name], met: () => memory.unlink() };
    },
    open([name]) {
      const memory = SharedMemory.open(name!);
      return inMemory(memory, OFFSETS.map((offset) => SemaphoreInMemory.at(memory, offset)));
    },
  },
];

/** Each in a cache line of its own. */
const OFFSETS = [0, 64];

function inMemory(memory: SharedMemory, [there, back]: readonly SemaphoreInMemory[]): Both {
  return { there: there!, back: back!, [Symbol.dispose]: () => memory.close() };
}

function members(set: SemaphoreSet): Both {
  return { there: set.at(0), back: set.at(1), [Symbol.dispose]: () => set.close() };
}

function both(semaphores: readonly Semaphore[]): Both & { readonly semaphores: readonly Semaphore[] } {
  const [there, back] = semaphores;
  return {
    there: there!,
    back: back!,
    semaphores,
    [Symbol.dispose]: () => semaphores.forEach((semaphore) => semaphore.close()),
  };
}
