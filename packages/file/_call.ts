/** Calls that are made again when a signal comes in between, as they may be on a network file system. */

import { ERRNO } from "@ipc/core";
import { errno, failure } from "@ipc/core/sys";

/** What `call` returns; where it fails, errno below zero. */
export function attempt(call: () => number): number {
  for (;;) {
    const result = call();
    if (result !== -1) return result;
    const code = errno();
    if (code !== ERRNO.EINTR) return -code;
  }
}

/** What `call` returns; throws where it fails. */
export function must(call: () => number, syscall: string, action: string, target: string): number {
  const result = attempt(call);
  if (result < 0) throw failure(-result, syscall, action, target);
  return result;
}
