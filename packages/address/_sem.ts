/** `sem:/name`: the driver of POSIX semaphores. */

import { ERRNO, errnoError } from "@ipc/core";
import { limits as allLimits, listSemaphores, Semaphore as Named } from "@ipc/posix";
import { type Address, formatAddress } from "./address.ts";
import { AddressError } from "./address_error.ts";
import type { KernelLimit } from "./limits.ts";
import type { MakeOptions } from "./make.ts";
import type { Semaphore } from "./semaphore.ts";
import type { NamedSemaphoreStatus } from "./stat.ts";
import { mappedBy } from "./_holders.ts";
import { finite } from "./_posix.ts";
import { trustOf } from "./_trust.ts";

/** Creates a semaphore. */
export function make({ text, target }: Address, { mode, initial }: MakeOptions): Promise<void> {
  return Promise.try(() => {
    if (typeof initial === "object") {
      throw new AddressError(text, "it is one semaphore, and begins with one value", "create");
    }
    Named.create(target, { mode, initial }).close();
  });
}

/** Unlinks a semaphore; who has it open goes on with it. */
export function remove({ target }: Address): Promise<void> {
  return Promise.try(() => Named.unlink(target));
}

/** Looks at a semaphore and its users. */
export function stat({ text, target }: Address): Promise<NamedSemaphoreStatus> {
  return Promise.try(() => {
    const listed = listSemaphores().find(({ name }) => name === target);
    if (listed === undefined) {
      throw errnoError(ERRNO.ENOENT, {
        syscall: "open",
        action: `look at semaphore "${target}"`,
        object: "semaphore",
        target,
      });
    }
    return { address: text, type: "sem", ...listed, holders: mappedBy(`/dev/shm/sem.${target.slice(1)}`) };
  });
}

/** Lists all semaphores that have a name. */
export function list(): NamedSemaphoreStatus[] {
  // libc would not open a file that is called "sem." and nothing more.
  return listSemaphores().filter(({ name }) => name !== "/").map((listed) => {
    return { address: formatAddress("sem", listed.name), type: "sem", ...listed };
  });
}

/** The limits of semaphores. */
export function limits(): KernelLimit[] {
  return allLimits().filter(({ name }) => name === "SEM_VALUE_MAX").map(finite);
}

/** Opens a semaphore. */
export function openSemaphore(address: Address): Promise<Semaphore> {
  return Promise.try(() => {
    const semaphore = Named.open(address.target, trustOf(address));
    return {
      undoes: false,
      acquire: async (count = 1, { undo, ...wait } = {}) => {
        if (undo) throw new AddressError(address.text, "a POSIX semaphore has no undo", "acquire");
        if (count !== 1) {
          throw new AddressError(address.text, "a POSIX semaphore is acquired one unit at a time", "acquire");
        }
        await semaphore.acquire(wait);
      },
      release: (count = 1) => {
        for (let released = 0; released < count; released++) semaphore.release();
      },
      close: () => semaphore.close(),
      [Symbol.dispose]: () => semaphore.close(),
    };
  });
}
