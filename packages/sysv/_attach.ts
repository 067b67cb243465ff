/** Attaching shared memory: shmat(2). */

import { ERRNO } from "@ipc/core";
import { errno } from "@ipc/core/sys";
import { libc } from "./_libc.ts";

/**
 * Attaches, and returns where, or else the errno.
 *
 * A pointer is an allocation, so that the collector can run between the call and errno, and leave EAGAIN there:
 * that answer is believed only when it comes three times.
 */
export function attach(id: number, address: Deno.PointerValue, flags: number): Deno.PointerObject | number {
  for (let attempt = 1;; attempt++) {
    const pointer = libc.shmat(id, address, flags);
    const code = errno();
    // A failure is not null but the last address there is.
    if (pointer !== null && Deno.UnsafePointer.value(pointer) !== 2n ** 64n - 1n) return pointer;
    if (code !== ERRNO.EAGAIN || attempt === 3) return code;
  }
}
