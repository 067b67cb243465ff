/**
 * Interrupting a thread that is blocked in msgrcv(2) or semop(2): by a signal, after which they give EINTR.
 *
 * The signal is a real-time one, sent to that thread alone: SIGRTMAX - 10, or the next below it that nobody uses. C
 * libraries take theirs from the lower end, debuggers and emulators from the upper. What it does is call getppid(2),
 * so nothing. Where the kernel has no room for one more real-time signal (RLIMIT_SIGPENDING) it is SIGSTKFLT, which
 * nothing else sends. SA_RESTART spares other calls; msgrcv and semop are interrupted all the same, says signal(7).
 */

import { abi, errno, fullGrant } from "@ipc/core/sys";
import { ERRNO } from "@ipc/core";
import {
  itimerspec,
  SA_RESTART,
  SIG_DFL,
  SIG_UNBLOCK,
  sigaction,
  SIGEV_THREAD_ID,
  sigevent,
  SIGSET_SIZE,
  SYS_timer_create,
  SYS_timer_settime,
} from "./_abi.ts";
import { libc, system } from "./_libc.ts";

const FIRST_TRIED = 54;
const LAST_TRIED = 44;
/** SIGSTKFLT: one of the old signals, which need no room. */
const SPARE = 16;
/** So many signals in a row that could not be sent are enough: some 20 ms. */
const MOST_FAILURES = 100;
const SYS_GETTID = BigInt(abi.SYS_gettid);
const SYS_TGKILL = BigInt(abi.SYS_tgkill);

let signal: number | undefined;
/** Whether SPARE interrupts, too; `undefined` before it was needed. */
let spare: boolean | undefined;

/** The signal that interrupts, whose handler is there from now on; 0: every number is in use. System call: `rt_sigaction`. */
export function interruptSignal(): number {
  return signal ??= install();
}

function install(): number {
  // Where FFI was granted for a path, addresses are out of reach.
  if (!fullGrant()) return 0;
  for (let candidate = FIRST_TRIED; candidate >= LAST_TRIED; candidate--) {
    if (handle(candidate)) return candidate;
  }
  return 0;
}

/** Has a signal do nothing but interrupt; false: it is in use. */
function handle(number: number): boolean {
  const action = new DataView(new ArrayBuffer(sigaction.size));
  if (libc.sigaction(number, null, action) === -1) return false;
  // Only now, for the call before has opened the library if nobody had.
  const address = Deno.UnsafePointer.value(libc.getppid as Deno.PointerValue);
  const handler = action.getBigUint64(sigaction.handler, true);
  // Another isolate of this process may have been here.
  if (handler === address) return true;
  if (handler !== SIG_DFL) return false;
  const ours = new DataView(new ArrayBuffer(sigaction.size));
  ours.setBigUint64(sigaction.handler, address, true);
  ours.setInt32(sigaction.flags, SA_RESTART, true);
  return libc.sigaction(number, ours, null) === 0;
}

/**
 * Interrupts a thread until it has changed the word that says `old`; false: there is no signal that reaches it.
 *
 * A signal that comes just before the thread is in the kernel is lost, so it is repeated. It takes some 25 µs, and
 * where other programs want the CPU until that thread gets it. System call: `tgkill`.
 */
export function interruptUntilChanged(
  thread: number,
  words: Int32Array,
  index: number,
  old: number,
): boolean {
  let failures = 0;
  do {
    const code = send(thread);
    if (code === ERRNO.ESRCH) return true;
    failures = code === 0 ? 0 : failures + 1;
    if (failures === MOST_FAILURES) return false;
  } while (Atomics.wait(words, index, old, 0.2) === "timed-out");
  return true;
}

/** Sends a thread the signal, or the spare one; 0, or the errno. */
function send(thread: number): number {
  if (system.tgkill(SYS_TGKILL, Deno.pid, thread, signal!) === 0) return 0;
  const code = errno();
  if (code === ERRNO.ESRCH || !(spare ??= handle(SPARE))) return code;
  return system.tgkill(SYS_TGKILL, Deno.pid, thread, SPARE) === 0 ? 0 : errno();
}

let timer: Int32Array | undefined;
const setting = new BigInt64Array(itimerspec.size);

/**
 * Interrupts this thread after so many milliseconds, and then every millisecond until {@linkcode disarm}; false: it
 * cannot. System calls: once `timer_create`, `timer_settime`.
 */
export function arm(milliseconds: number): boolean {
  timer ??= createTimer();
  if (timer === undefined) return false;
  const nanoseconds = BigInt(Math.max(1, Math.round(Math.min(milliseconds, 1e12) * 1e6)));
  setting[itimerspec.seconds] = nanoseconds / 1_000_000_000n;
  setting[itimerspec.nanoseconds] = nanoseconds % 1_000_000_000n;
  setting[itimerspec.intervalNanoseconds] = 1_000_000n;
  return system.timer_settime(SYS_timer_settime, timer[0]!, 0, setting, null) === 0;
}

/** Ends what {@linkcode arm} began. */
export function disarm(): void {
  setting.fill(0n);
  system.timer_settime(SYS_timer_settime, timer![0]!, 0, setting, null);
}

function createTimer(): Int32Array | undefined {
  const number = interruptSignal();
  if (number === 0) return undefined;
  libc.sigprocmask(SIG_UNBLOCK, signalSet(number), null);
  const event = new DataView(new ArrayBuffer(sigevent.size));
  event.setInt32(sigevent.signo, number, true);
  event.setInt32(sigevent.notify, SIGEV_THREAD_ID, true);
  event.setInt32(sigevent.tid, system.gettid(SYS_GETTID), true);
  const created = new Int32Array(1);
  const failed = system.timer_create(SYS_timer_create, abi.CLOCK_MONOTONIC, event, created) === -1;
  return failed ? undefined : created;
}

/** A `sigset_t` of a signal and the spare one. Who started this process may have left them blocked. */
export function signalSet(number: number): BigUint64Array<ArrayBuffer> {
  const set = new BigUint64Array(SIGSET_SIZE / 8);
  set[0] = 1n << BigInt(number - 1) | 1n << BigInt(SPARE - 1);
  return set;
}
