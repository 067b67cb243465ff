import { constants } from "../_abi.ts";
import { libc } from "../_libc.ts";
import { arm, disarm } from "./interrupt.ts";
import { roomFor } from "./room.ts";

const header = new BigInt64Array(1);
/** Nobody changes it: a wait for it lasts as long as it may. */
const sleeper = new Int32Array(new SharedArrayBuffer(4));
/** Milliseconds. */
const SHORTEST_SLEEP = 0.05;
const LONGEST_SLEEP = 1;

/**
 * Blocks this thread until a message may be there that msgrcv(2) would take with this type and these flags, at most
 * `timeout` milliseconds; it may also end early, for no reason.
 *
 * `taken` gets the type of an empty message, which is taken by this. System calls: `msgrcv`, and with a timeout
 * `timer_settime`, for System V knows no time limit on messages.
 */
export function blockForMessage(
  id: number,
  type: number,
  flags: number,
  timeout: number | undefined,
  taken: (type: number) => void,
): void {
  if (timeout !== undefined && !arm(timeout)) {
    // Without a signal to interrupt with, this thread comes back soon, and the caller asks again.
    Atomics.wait(sleeper, 0, 0, Math.min(timeout, LONGEST_SLEEP));
    return;
  }
  const result = libc.msgrcv(id, header, 0n, BigInt(type), flags & ~constants.IPC_NOWAIT);
  if (timeout !== undefined) disarm();
  if (result !== -1) taken(Number(header[0]));
}

/**
 * Blocks this thread until a message of so many bytes may fit, at most `timeout` milliseconds; it may also end early.
 *
 * System call: `msgctl`, again and again, for nothing in System V waits for room but sending.
 */
export function blockForRoom(id: number, byteLength: number, timeout: number | undefined): void {
  const end = performance.now() + (timeout ?? Infinity);
  for (let sleep = SHORTEST_SLEEP;; sleep = Math.min(LONGEST_SLEEP, sleep * 2)) {
    const left = end - performance.now();
    if (left <= 0) return;
    Atomics.wait(sleeper, 0, 0, Math.min(sleep, left));
    if (roomFor(id, byteLength) !== false) return;
  }
}
