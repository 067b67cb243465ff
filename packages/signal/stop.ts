import { send } from "./send.ts";
import { type SignalName, signalNumber } from "./names.ts";
import { type Signals, signals } from "./signals.ts";

/** How {@linkcode runUntilStopped} stops. */
export interface StopOptions {
  /** The signals that stop it; `["SIGTERM", "SIGINT"]` unless told. */
  on?: readonly SignalName[] | undefined;
  /** Milliseconds that `run` and giving back may take after the signal; 10,000 unless told, `Infinity` for no limit. */
  grace?: number | undefined;
}

/**
 * Runs a program until it is done, or SIGTERM or Ctrl-C stops it, and gives everything back in either case.
 *
 * `run` gets a signal that aborts when it is to stop, and a stack for what is to be given back: that is disposed of
 * in reverse order when `run` has ended. Then the process ends by the signal that it was sent, so that its parent sees
 * the truth (143 for SIGTERM in a shell); as process 1 of a container, or where others in the program hear the signal
 * as well, with that number as its status. A second signal ends it at once, and so does the end of `grace`. What is
 * thrown after the signal is printed, but for the abort itself. Without a signal, what `run` returns is returned, and
 * what it throws thrown. It keeps the process alive. System calls: as {@linkcode signals}, and `kill`, of this process.
 *
 * @throws {RangeError} if `grace` is negative or not a number.
 * @throws {TypeError} if there is no such signal, or it cannot be heard.
 *
 * @example
 * ```ts
 * import { runUntilStopped } from "@ipc/signal";
 * import { assertEquals } from "@std/assert";
 *
 * const given: string[] = [];
 * const result = await runUntilStopped(async (stop, owned) => {
 *   owned.defer(() => void given.push("lock"));
 *   owned.defer(() => void given.push("socket"));
 *   await Promise.resolve(); // Serves until `stop` aborts, as a rule.
 *   return stop.aborted ? "stopped" : "done";
 * });
 * assertEquals([result, ...given], ["done", "socket", "lock"]);
 * ```
 */
export async function runUntilStopped<T>(
  run: (stop: AbortSignal, owned: AsyncDisposableStack) => T | Promise<T>,
  options: StopOptions = {},
): Promise<T> {
  const { on = ["SIGTERM", "SIGINT"], grace = 10_000 } = options;
  if (!(grace >= 0)) throw new RangeError(`Cannot stop within ${grace} ms: a grace is 0 or more`);
  const stop = new AbortController();
  let by: SignalName | undefined;
  let late: ReturnType<typeof setTimeout> | undefined;
  if (on.length === 0) throw new TypeError("Cannot be stopped: no signal is named");
  using all = new DisposableStack();
  // Each on its own: some may have been blocked at the start, and others not.
  const ears = on.map((name) => all.use(signals(name)));
  const end = (name: SignalName) => {
    all.dispose();
    return endBy(name);
  };
  const listen = async (heard: Signals) => {
    for await (const { signal } of heard) {
      if (by !== undefined) await end(signal);
      by = signal;
      if (grace !== Infinity) late = setTimeout(() => end(signal), Math.min(grace, LONGEST));
      stop.abort(new DOMException(`Stopped by ${signal}`, "AbortError"));
    }
  };
  ears.forEach(listen);
  try {
    await using owned = new AsyncDisposableStack();
    return await run(stop.signal, owned);
  } catch (error) {
    if (by === undefined) throw error;
    // Nobody is left to catch it, and what goes wrong while all is given back has to be seen.
    print(error, stop.signal.reason);
    return undefined as T;
  } finally {
    clearTimeout(late);
    if (by !== undefined) await end(by);
  }
}

/** Prints an error, but for `reason`; one that came while another was on its way hides both from the console. */
function print(error: unknown, reason: unknown): void {
  if (error instanceof SuppressedError) {
    print(error.suppressed, reason);
    print(error.error, reason);
  } else if (error !== reason) console.error(error);
}

/** Ends this process by a signal, as if nobody had heard it. */
function endBy(name: SignalName): Promise<never> {
  // For process 1 of a container no signal has a default action, and the runtime's own ends in a crash.
  const first = Deno.pid === 1;
  if (!first) send(Deno.pid, name);
  // Somebody else in this program may listen to it, or it was blocked at the start: then this is how it ends.
  setTimeout(() => Deno.exit(128 + signalNumber(name)), first ? 0 : PATIENCE);
  return new Promise(() => {});
}

/** How long a signal may take to end this process, in milliseconds. */
const PATIENCE = 100;
/** Some 25 days, the longest that a timer can be. */
const LONGEST = 0x7fff_ffff;
