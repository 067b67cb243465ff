/** Signals by name and by number. */

import { abi } from "@ipc/core/sys";

/** The standard signals of Linux. */
export type StandardSignal =
  | "SIGHUP"
  | "SIGINT"
  | "SIGQUIT"
  | "SIGILL"
  | "SIGTRAP"
  | "SIGABRT"
  | "SIGBUS"
  | "SIGFPE"
  | "SIGKILL"
  | "SIGUSR1"
  | "SIGSEGV"
  | "SIGUSR2"
  | "SIGPIPE"
  | "SIGALRM"
  | "SIGTERM"
  | "SIGSTKFLT"
  | "SIGCHLD"
  | "SIGCONT"
  | "SIGSTOP"
  | "SIGTSTP"
  | "SIGTTIN"
  | "SIGTTOU"
  | "SIGURG"
  | "SIGXCPU"
  | "SIGXFSZ"
  | "SIGVTALRM"
  | "SIGPROF"
  | "SIGWINCH"
  | "SIGIO"
  | "SIGPWR"
  | "SIGSYS";

/** The same by number, which is one more than the index; alike on x86_64 and aarch64. */
const STANDARD: readonly StandardSignal[] = [
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGILL",
  "SIGTRAP",
  "SIGABRT",
  "SIGBUS",
  "SIGFPE",
  "SIGKILL",
  "SIGUSR1",
  "SIGSEGV",
  "SIGUSR2",
  "SIGPIPE",
  "SIGALRM",
  "SIGTERM",
  "SIGSTKFLT",
  "SIGCHLD",
  "SIGCONT",
  "SIGSTOP",
  "SIGTSTP",
  "SIGTTIN",
  "SIGTTOU",
  "SIGURG",
  "SIGXCPU",
  "SIGXFSZ",
  "SIGVTALRM",
  "SIGPROF",
  "SIGWINCH",
  "SIGIO",
  "SIGPWR",
  "SIGSYS",
];

/** The last real-time signal. */
const SIGRTMAX = 64;

/**
 * A signal's name: `"SIGTERM"`, or of a real-time signal `"SIGRTMIN"` to `"SIGRTMIN+30"`, which the kernel queues and
 * delivers one by one, the lowest first.
 */
export type SignalName = StandardSignal | "SIGRTMIN" | `SIGRTMIN+${number}`;

/**
 * The number of a signal. System calls: none.
 *
 * @throws {TypeError} if there is no such signal.
 *
 * @example
 * ```ts
 * import { signalName, signalNumber } from "@ipc/signal";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(signalNumber("SIGTERM"), 15);
 * assertEquals(signalName(15), "SIGTERM");
 * assertEquals(signalName(signalNumber("SIGRTMIN+2")), "SIGRTMIN+2");
 * ```
 */
export function signalNumber(signal: SignalName): number {
  const index = (STANDARD as readonly string[]).indexOf(signal);
  if (index !== -1) return index + 1;
  const [, plus = "0"] = /^SIGRTMIN(?:\+(0|[1-9]\d?))?$/.exec(signal) ?? [undefined, "100"];
  const number = abi.SIGRTMIN + Number(plus);
  if (number <= SIGRTMAX) return number;
  const last = `SIGRTMIN+${SIGRTMAX - abi.SIGRTMIN}`;
  throw new TypeError(`There is no signal "${signal}": they are SIGHUP to SIGSYS, and SIGRTMIN to ${last}`);
}

/**
 * The name of a signal. System calls: none.
 *
 * @throws {RangeError} if `number` is not that of a signal that programs may use.
 */
export function signalName(number: number): SignalName {
  const name = STANDARD[number - 1];
  if (name !== undefined) return name;
  if (Number.isInteger(number) && number >= abi.SIGRTMIN && number <= SIGRTMAX) {
    return number === abi.SIGRTMIN ? "SIGRTMIN" : `SIGRTMIN+${number - abi.SIGRTMIN}`;
  }
  throw new RangeError(`There is no signal ${number}: they are 1 to 31, and ${abi.SIGRTMIN} to ${SIGRTMAX}`);
}
