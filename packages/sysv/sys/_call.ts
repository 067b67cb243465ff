/** What the calls have in common. */

import { ERRNO } from "@ipc/core";
import { errno, failure } from "@ipc/core/sys";

/** Makes a call again and again while signals interrupt it; returns its result, or throws the error of its errno. */
export function complete(call: () => number, syscall: string, id: number): number {
  for (;;) {
    const result = call();
    if (result !== -1) return result;
    const code = errno();
    if (code !== ERRNO.EINTR) throw failure(code, syscall, syscall, id);
  }
}

/** The kernel writes a whole struct, whatever room there is. */
export function checkRoom(syscall: string, buffer: Uint8Array | null, size: number): void {
  if (buffer === null || buffer.byteLength >= size) return;
  throw new RangeError(`Cannot ${syscall}: a buffer has at least ${size} bytes, not ${buffer.byteLength}`);
}
