import { NotFoundError, type WaitOptions } from "@ipc/core";
import { ProcessHandle } from "./process_handle.ts";

/**
 * Whether a process is there and has not ended; a zombie has. System calls: `pidfd_open`, `poll`.
 *
 * By now another may have its number: hold a {@linkcode ProcessHandle} to be sure.
 *
 * @throws {RangeError} if `pid` is not an integer from 1.
 *
 * @example
 * ```ts
 * import { alive } from "@ipc/signal";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(alive(Deno.pid), true);
 * ```
 */
export function alive(pid: number): boolean {
  try {
    using process = ProcessHandle.open(pid);
    return process.alive;
  } catch (error) {
    if (error instanceof NotFoundError) return false;
    throw error;
  }
}

/**
 * Resolves when a process has ended, whosever child it is; at once, if there is none of this number.
 *
 * It costs a descriptor and no polling, and keeps this process alive until then. System calls: `pidfd_open`,
 * `epoll_wait`.
 *
 * @throws {TimeoutError} if it has not ended within `timeout`.
 * @throws {RangeError} if `pid` is not an integer from 1.
 *
 * @example
 * ```ts
 * import { watch } from "@ipc/signal";
 *
 * const child = new Deno.Command("sleep", { args: ["0.05"] }).spawn();
 * await watch(child.pid, { timeout: 5000 });
 * await child.status;
 * ```
 */
export async function watch(pid: number, options: WaitOptions = {}): Promise<void> {
  let process: ProcessHandle;
  try {
    process = ProcessHandle.open(pid);
  } catch (error) {
    if (error instanceof NotFoundError) return;
    throw error;
  }
  using _process = process;
  await process.ended(options);
}
