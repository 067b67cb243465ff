/** What the calls have in common. */

import { ERRNO } from "@ipc/core";
import { errno, failure } from "@ipc/core/sys";

/** Makes a call again and again while signals interrupt it; returns its result, or throws the error of its errno. */
export function complete(call: () => number, syscall: string, target?: string | number): number {
  for (;;) {
    const result = call();
    if (result !== -1) return result;
    const code = errno();
    if (code !== ERRNO.EINTR) throw failure(code, syscall, syscall, target);
  }
}
