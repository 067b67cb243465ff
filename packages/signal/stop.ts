import { send } from "./send.ts";
import { type SignalName, signalNumber } from "./names.ts";

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
 * the truth (143 for SIGTERM in a shell). A second signal ends it at once, and so does the end of `grace`. Without a
 * signal, what `run` returns is returned, and what it throws thrown. System call: `kill`, of this process.
 *
 * @throws {RangeError} if `grace` is negative or not a number.
 * @throws {TypeError} if there is no such signal.
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
  for (const name of on) signalNumber(name);
  const stop = new AbortController();
  const names = [...on] as Deno.Signal[];
  let by: Deno.Signal | undefined;
  let late: ReturnType<typeof setTimeout> | undefined;
  const listeners = names.map((name) => () => {
    if (by !== undefined) end(name);
    by = name;
    if (grace !== Infinity) late = setTimeout(() => end(name), Math.min(grace, LONGEST));
    stop.abort(new DOMException(`Stopped by ${name}`, "AbortError"));
  });
  const deafen = () => {
    listeners.forEach((listener, index) => Deno.removeSignalListener(names[index]!, listener));
    listeners.length = 0;
  };
  /** Ends this process by a signal, as if nobody had heard it. */
  const end = (name: Deno.Signal) => {
    deafen();
    send(Deno.pid, name as SignalName);
  };
  names.forEach((name, index) => Deno.addSignalListener(name, listeners[index]!));
  try {
    await using owned = new AsyncDisposableStack();
    return await run(stop.signal, owned);
  } catch (error) {
    if (by === undefined || error !== stop.signal.reason) throw error;
    return undefined as T;
  } finally {
    clearTimeout(late);
    deafen();
    if (by !== undefined) {
      send(Deno.pid, by as SignalName);
      // The signal comes to another thread first: nothing goes on behind this.
      await new Promise(() => setInterval(() => {}, LONGEST));
    }
  }
}

/** Some 25 days, the longest that a timer can be. */
const LONGEST = 0x7fff_ffff;
