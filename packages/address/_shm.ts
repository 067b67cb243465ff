/** `shm:/name`: the driver of POSIX shared memory. */

import { ERRNO, errnoError } from "@ipc/core";
import type { Mapping } from "@ipc/core/sys";
import { limits as allLimits, listSharedMemory, SharedMemory } from "@ipc/posix";
import { type Address, formatAddress } from "./address.ts";
import { AddressError } from "./address_error.ts";
import type { KernelLimit } from "./limits.ts";
import type { MakeOptions } from "./make.ts";
import type { OpenMemoryOptions } from "./memory.ts";
import type { NamedMemoryStatus } from "./stat.ts";
import { mappedBy } from "./_holders.ts";
import { finite } from "./_posix.ts";
import { trustOf } from "./_trust.ts";

/** Creates memory. */
export function make({ text, target }: Address, { mode, size }: MakeOptions): Promise<void> {
  return Promise.try(() => {
    if (size === undefined) throw new AddressError(text, "it needs a size, in bytes", "create");
    SharedMemory.create(target, size, { mode }).close();
  });
}

/** Unlinks memory; who has it open goes on with it. */
export function remove({ target }: Address): Promise<void> {
  return Promise.try(() => SharedMemory.unlink(target));
}

/** Looks at memory and its users. */
export function stat({ text, target }: Address): Promise<NamedMemoryStatus> {
  return Promise.try(() => {
    const listed = listSharedMemory().find(({ name }) => name === target);
    if (listed === undefined) {
      throw errnoError(ERRNO.ENOENT, {
        syscall: "open",
        action: `look at shared memory "${target}"`,
        object: "shared memory",
        target,
      });
    }
    return { address: text, type: "shm", ...listed, holders: mappedBy(`/dev/shm${target}`) };
  });
}

/** Lists all memory that has a name. */
export function list(): NamedMemoryStatus[] {
  return listSharedMemory().map((listed) => {
    return { address: formatAddress("shm", listed.name), type: "shm", ...listed };
  });
}

/** The limits of memory. */
export function limits(): KernelLimit[] {
  return allLimits().filter(({ name }) => name === "/dev/shm").map(finite);
}

/** Maps memory. */
export function openMemory(address: Address, { access }: OpenMemoryOptions): Promise<Mapping> {
  return Promise.try(() => SharedMemory.open(address.target, { ...trustOf(address), access }));
}
