/** `sysv-shm:KEY`: the driver of System V shared memory. */

import { ERRNO, errnoError, formatKey, IpcError } from "@ipc/core";
import type { Mapping } from "@ipc/core/sys";
import { limits as allLimits, list as listAll, type ListedMemory, SharedMemory } from "@ipc/sysv";
import { constants, shmctl } from "@ipc/sysv/sys";
import type { Address } from "./address.ts";
import { AddressError } from "./address_error.ts";
import type { KernelLimit } from "./limits.ts";
import type { MakeOptions } from "./make.ts";
import type { OpenMemoryOptions } from "./memory.ts";
import type { MemoryStatus } from "./stat.ts";
import { attachedBy } from "./_holders.ts";
import { addressed, newKeyOf, privateAddress, targetOf } from "./_sysv.ts";
import { trustOf } from "./_trust.ts";

/** Creates memory. */
export function make(address: Address, { mode, size }: MakeOptions): Promise<string | undefined> {
  return Promise.try(() => {
    const key = newKeyOf(address);
    if (size === undefined) throw new AddressError(address.text, "it needs a size, in bytes", "create");
    using memory = SharedMemory.create(key, size, { mode });
    return privateAddress(address, key, memory.id);
  });
}

/** Removes memory; whoever has it attached keeps it. */
export function remove(address: Address): Promise<void> {
  return Promise.try(() => {
    const { id } = find(address, "remove");
    try {
      shmctl(id, constants.IPC_RMID);
    } catch (error) {
      if (!(error instanceof IpcError) || error.errno === undefined) throw error;
      const action = `remove shared memory ${nameOf(address)}`;
      throw errnoError(error.errno, { syscall: "shmctl", action });
    }
  });
}

/** Looks at memory, which attaching it would change. */
export function stat(address: Address): Promise<MemoryStatus> {
  return Promise.try(() => {
    const status = find(address, "look at");
    return { address: address.text, type: "sysv-shm", ...status, holders: attachedBy(status.id) };
  });
}

/** Lists all memory. */
export function list(): MemoryStatus[] {
  return listAll().memories.map((status) => addressed("sysv-shm", status));
}

/** The limits of memory. */
export function limits(): KernelLimit[] {
  return allLimits().filter(({ name }) => name.startsWith("SHM"));
}

/** Attaches memory. */
export function openMemory(address: Address, { access }: OpenMemoryOptions): Promise<Mapping> {
  return Promise.try(() => SharedMemory.open(targetOf(address, "attach"), { ...trustOf(address), access }));
}

/** Finds memory without attaching it, for which no permission is needed. */
function find(address: Address, verb: string): ListedMemory {
  const target = targetOf(address, verb);
  const found = listAll().memories.find(({ key, id }) =>
    typeof target === "object" ? id === target.id : key === target
  );
  if (found !== undefined) return found;
  const name = nameOf(address);
  throw errnoError(ERRNO.ENOENT, {
    syscall: "shmctl",
    action: `${verb} shared memory ${name}`,
    object: "shared memory",
    target: name,
  });
}

function nameOf(address: Address): string {
  const target = targetOf(address, "look at");
  return typeof target === "object" ? `id ${target.id}` : formatKey(target);
}
