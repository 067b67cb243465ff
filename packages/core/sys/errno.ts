/**
 * errno, read safely.
 *
 * @module
 */

import { errnoError } from "../errno_error.ts";
import type { IpcError } from "../errors.ts";
import { bind, fullGrant, whenOpened } from "./libc.ts";

const libc = bind({
  __errno_location: { parameters: [], result: "pointer" },
  memcpy: {
    parameters: [/* void *dest */ "buffer", /* const void *src */ "pointer", /* size_t n */ "usize"],
    result: "pointer",
  },
});
const out = bind({
  memcpy: {
    parameters: [/* void *dest */ "pointer", /* const void *src */ "buffer", /* size_t n */ "usize"],
    result: "pointer",
  },
});

let view: Int32Array | undefined;
let location: Deno.PointerValue = null;
const copy = new Int32Array(1);

/** errno is thread-local and every isolate has its own thread, so one view serves for good. */
function locate(): void {
  location = libc.__errno_location();
  if (location !== null && fullGrant()) {
    view = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(location, 4));
  }
}
// Not at the first failure: opening libc would overwrite the very errno that is asked for.
whenOpened(locate);

/**
 * errno of the last call on this thread: read it in the statement after the call that failed.
 *
 * An allocation, an `await`, a closure or a `try` between the two lets the garbage collector make calls of
 * its own, which leave EAGAIN where the kernel had said EBADF. After a `nonblocking` call it is garbage.
 */
export function errno(): number {
  if (view !== undefined) return view[0]!;
  libc.memcpy(copy, location, 4n);
  return copy[0]!;
}

/** Sets errno of this thread; for tests that let a call fail. */
export function setErrno(value: number): void {
  if (location === null) locate();
  if (view !== undefined) view[0] = value;
  else out.memcpy(location, new Int32Array([value]), 4n);
}

/**
 * Returns a call's result, or throws the error for errno when the result is -1.
 *
 * Nothing may be allocated between the call and this one: pass `action` and `target` as they are, and let
 * the message be put together here.
 *
 * @example
 * ```ts
 * import { check, setErrno } from "@ipc/core/sys";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * assertEquals(check(3, "open", "open", "/dev/null"), 3);
 * setErrno(2);
 * const error = assertThrows(() => check(-1, "open", "open", "/no/such/file"));
 * assertEquals(error instanceof Error && error.name, "NotFoundError");
 * ```
 */
export function check(result: number, syscall: string, action: string, target?: string | number): number {
  if (result !== -1) return result;
  throw failure(errno(), syscall, action, target);
}

/** The error for an errno that was read before; `object` is what the target is, such as `FIFO`. */
export function failure(
  code: number,
  syscall: string,
  action: string,
  target?: string | number,
  object?: string,
): IpcError {
  const name = target === undefined ? undefined : String(target);
  const what = name === undefined ? action : `${action} ${typeof target === "number" ? target : `"${name}"`}`;
  return errnoError(code, { syscall, action: what, target: name, object });
}
