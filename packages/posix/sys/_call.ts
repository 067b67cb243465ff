/** What the calls have in common. */

import { ERRNO } from "@ipc/core";
import { abi, errno, failure } from "@ipc/core/sys";

/** A moment, or where a call says so a span of time: `struct timespec`. */
export interface Timespec {
  /** Seconds; since 1970 of a moment. */
  sec: number;
  /** Nanoseconds beside them. */
  nsec: number;
}

/** Makes a call again and again while signals interrupt it; returns its result, or throws the error of its errno. */
export function complete(call: () => number, syscall: string, target?: string | number): number {
  for (;;) {
    const result = call();
    if (result !== -1) return result;
    const code = errno();
    if (code !== ERRNO.EINTR) throw failure(code, syscall, syscall, target);
  }
}

/** A moment as C has it; none: `NULL`. */
export function encodeTimespec(time: Timespec | undefined): DataView<ArrayBuffer> | null {
  if (time === undefined) return null;
  const view = new DataView(new ArrayBuffer(abi.timespec.size));
  view.setBigInt64(abi.timespec.tv_sec, BigInt(time.sec), true);
  view.setBigInt64(abi.timespec.tv_nsec, BigInt(time.nsec), true);
  return view;
}
