/** `sysv-sem:KEY`: the driver of System V semaphore sets. */

import { PermissionError } from "@ipc/core";
import { limits as allLimits, list as listAll, SemaphoreSet } from "@ipc/sysv";
import type { Address } from "./address.ts";
import type { KernelLimit } from "./limits.ts";
import type { MakeOptions } from "./make.ts";
import type { Semaphore } from "./semaphore.ts";
import type { SetMember, SetStatus } from "./stat.ts";
import { addressed, newKeyOf, privateAddress, targetOf } from "./_sysv.ts";
import { ANYBODY, trustOf } from "./_trust.ts";

/** Creates a set. */
export function make(address: Address, { mode, size, initial }: MakeOptions): Promise<string | undefined> {
  return Promise.try(() => {
    const key = newKeyOf(address);
    using set = SemaphoreSet.create(key, { mode, size, initial });
    return privateAddress(address, key, set.id);
  });
}

/** Removes a set. */
export function remove(address: Address): Promise<void> {
  return Promise.try(() => {
    using set = SemaphoreSet.open(targetOf(address, "remove"), ANYBODY);
    set.remove();
  });
}

/** Looks at a set and its members. */
export function stat(address: Address): Promise<SetStatus> {
  return Promise.try(() => {
    using set = SemaphoreSet.open(targetOf(address, "look at"), ANYBODY);
    const members = membersOf(set);
    return { address: address.text, type: "sysv-sem", ...set.stat(), ...members && { members } };
  });
}

/** Lists all sets. */
export function list(): SetStatus[] {
  return listAll().semaphoreSets.map((status) => addressed("sysv-sem", status));
}

/** The limits of sets. */
export function limits(): KernelLimit[] {
  return allLimits().filter(({ name }) => name.startsWith("SEM"));
}

/** Opens one member of a set. */
export function openSemaphore(address: Address): Promise<Semaphore> {
  return Promise.try(() => {
    const set = SemaphoreSet.open(targetOf(address, "acquire"), trustOf(address));
    try {
      const member = set.at(Number(address.params.index ?? 0));
      return {
        undoes: true,
        acquire: (count, options) => member.acquire(count, options),
        release: (count) => member.release(count),
        close: () => set.close(),
        [Symbol.dispose]: () => set.close(),
      };
    } catch (error) {
      set.close();
      throw error;
    }
  });
}

/** The members of a set; `undefined`: this user may not read them. */
function membersOf(set: SemaphoreSet): SetMember[] | undefined {
  try {
    return set.values.map((value, index) => {
      const { waitersForIncrease, waitersForZero, lastPid } = set.at(index);
      return { value, waitersForIncrease, waitersForZero, lastPid };
    });
  } catch (error) {
    if (error instanceof PermissionError) return undefined;
    throw error;
  }
}
