import { errno } from "@ipc/core/sys";
import { libc } from "./_libc.ts";
import { checkPid } from "./_pid.ts";
import { sendFailure, type SendOptions, toSend } from "./_sending.ts";
import type { SignalName } from "./names.ts";
import { ProcessHandle } from "./process_handle.ts";

export type { SendOptions } from "./_sending.ts";

/** All processes of a group: see {@linkcode send}. */
export interface ProcessGroup {
  /** The group's number: that of the process that leads it; 0 for the group of this process. */
  readonly group: number;
}

/** Who gets a signal: a process by its number or by its handle, or a group. */
export type SignalTarget = number | ProcessHandle | ProcessGroup;

/**
 * Sends a signal. System calls: `kill`; `sigqueue` with a value; `pidfd_send_signal` to a handle.
 *
 * The number of a process that has ended is soon another's: a {@linkcode ProcessHandle} cannot be mistaken. A signal
 * of SIGHUP to SIGSYS that waits already swallows the next of its kind; real-time ones queue. Numbers that mean
 * everybody to kill(2) are refused.
 *
 * @throws {NotFoundError} if there is no such process or group.
 * @throws {PermissionError} if it is somebody else's.
 * @throws {LimitError} if too many signals wait already (RLIMIT_SIGPENDING).
 * @throws {TypeError} if there is no such signal, it is SIGUSR1, or a value is to go to a group.
 * @throws {RangeError} if the number is not that of a process or group, or the value has more than 32 bits.
 *
 * @example
 * ```ts
 * import { NotFoundError } from "@ipc/core";
 * import { send } from "@ipc/signal";
 * import { assertEquals, assertThrows } from "@std/assert";
 *
 * const child = new Deno.Command("sleep", { args: ["60"] }).spawn();
 * send(child.pid, "SIGTERM");
 * assertEquals((await child.status).signal, "SIGTERM");
 * assertThrows(() => send(child.pid, "SIGTERM"), NotFoundError);
 * ```
 */
export function send(target: SignalTarget, signal: SignalName, options: SendOptions = {}): void {
  if (target instanceof ProcessHandle) return target.send(signal, options);
  const { number, value } = toSend(signal, options);
  if (typeof target === "number") {
    checkPid(target, "signal");
    if (value === undefined) {
      if (libc.kill(target, number) === 0) return;
      throw sendFailure(errno(), "kill", signal, `process ${target}`);
    }
    if (libc.sigqueue(target, number, BigInt(value)) === 0) return;
    throw sendFailure(errno(), "sigqueue", signal, `process ${target}`);
  }
  const { group } = target;
  // Group 1 would be -1 to kill(2): every process there is.
  if (!Number.isInteger(group) || group < 0 || group === 1 || group > 0x7fff_ffff) {
    throw new RangeError(`Cannot signal group ${group}: its number is 0, or an integer from 2`);
  }
  if (value !== undefined) throw new TypeError("Cannot send a value to a group: only one process can get it");
  if (libc.kill(-group, number) === 0) return;
  throw sendFailure(errno(), "kill", signal, `group ${group}`);
}
