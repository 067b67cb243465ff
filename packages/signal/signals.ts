import { NotSupportedError } from "@ipc/core";
import { BaseReceiver } from "@ipc/core/base";
import { HeardSource } from "./_heard_source.ts";
import { type SignalName, signalNumber } from "./names.ts";
import { QueuedSource, startedBlocked } from "./_queued_source.ts";

/** A signal that arrived. */
export interface ReceivedSignal {
  /** Which one. */
  readonly signal: SignalName;
  /** When this process took it from the kernel. */
  readonly at: Date;
  /** The number that was sent with it; only where the program was started with the signal blocked. */
  readonly value?: number;
  /** Who sent it: the process and its user; only where the program was started with the signal blocked. */
  readonly sender?: SignalSender;
}

/** Who sent a signal. */
export interface SignalSender {
  /** The number of the process; 0: the kernel, or a process of another pid namespace. */
  readonly pid: number;
  /** Its user. */
  readonly uid: number;
}

/** What {@linkcode signals} gives: a Receiver of signals. */
export class Signals extends BaseReceiver<ReceivedSignal> {
  /** Whether each comes with its value and its sender, and real-time signals one by one. */
  readonly detailed: boolean;

  /** Use {@linkcode signals}. */
  constructor(source: HeardSource | QueuedSource) {
    super(source);
    this.detailed = source instanceof QueuedSource;
  }
}

/**
 * Hears signals, from now until it is closed: a Receiver, and so an async iterable. Their default action, which mostly
 * ends the process, does not happen meanwhile.
 *
 * Of each kind one waits to be received, and swallows those that come before it is: as in the kernel. An idle one
 * does not keep the process alive, a pending `receive` does. There is no blocking form, nor value nor sender, for a
 * Deno is many threads and the runtime's own handler takes the signal first; real-time signals are refused.
 *
 * All of that there is where the program was started with the signals blocked, which every thread then inherits:
 * `env --block-signal=USR2 --block-signal=RTMIN deno run …` (coreutils 8.31). Then it reads them from a descriptor:
 * each has `sender` and `value`, real-time ones queue and come one by one, and `receiveSync` works. Such signals have
 * no default action: who does not call this never hears them; and of several that hear the same one, each signal
 * reaches only one, where else it reaches all. System calls: `rt_sigprocmask`; then `signalfd`,
 * `read`, `epoll_wait`.
 *
 * @throws {TypeError} if none is named, there is no such signal, it cannot be heard (SIGKILL, SIGSTOP, and those of faults), it is
 *   named twice, or it is SIGUSR1.
 * @throws {NotSupportedError} if it is a real-time signal, and was not blocked when the program was started; or some
 *   were blocked and some were not.
 *
 * @example
 * ```ts
 * import { send, signals } from "@ipc/signal";
 * import { assertEquals } from "@std/assert";
 *
 * using heard = signals("SIGHUP", "SIGUSR2");
 * send(Deno.pid, "SIGHUP");
 * for await (const { signal } of heard) {
 *   assertEquals(signal, "SIGHUP");
 *   break;
 * }
 * ```
 */
export function signals(...names: [SignalName, ...SignalName[]]): Signals {
  if (names.length === 0) throw new TypeError("Cannot hear signals: none is named");
  for (const name of names) checkName(name);
  if (new Set(names).size < names.length) {
    throw new TypeError(`Cannot hear ${names.join(", ")}: one is there twice`);
  }
  const blocked = names.filter((name) => startedBlocked(signalNumber(name)));
  if (blocked.length === names.length) return new Signals(new QueuedSource(names));
  if (blocked.length > 0) {
    throw new NotSupportedError(
      `Cannot hear ${names.join(", ")} together: only ${blocked.join(", ")} had been blocked at the start`,
      { hint: "hear them apart" },
    );
  }
  const realTime = names.find((name) => name.startsWith("SIGRT"));
  if (realTime !== undefined) {
    throw new NotSupportedError(`Cannot hear ${realTime}: the runtime has no real-time signals`, {
      hint: `start the program with it blocked: env --block-signal=${realTime.slice(3)} deno run …`,
    });
  }
  return new Signals(new HeardSource(names));
}

function checkName(name: SignalName): void {
  signalNumber(name);
  if (name === "SIGUSR1") {
    throw new TypeError(
      "Cannot hear SIGUSR1: it opens the inspector of a Deno to every local user; use SIGUSR2",
    );
  }
  if (/^SIG(KILL|STOP|ILL|FPE|SEGV|BUS|TRAP)$/.test(name)) {
    throw new TypeError(`Cannot hear ${name}: nothing can`);
  }
}
