import { type Signals, signals } from "./signals.ts";
import type { SignalName } from "./names.ts";

/** How {@linkcode onReload} listens. */
export interface ReloadOptions {
  /** The signal; `"SIGHUP"` unless told. */
  on?: SignalName | undefined;
  /** Is given what `reload` throws, which is reported as an uncaught error unless told. */
  onError?: ((error: unknown) => void) | undefined;
}

/** Calls of {@linkcode onReload} that are wanted. */
export interface Reloading extends Disposable {
  /** Ends it: a `reload` that runs goes on to its end. */
  close(): void;
}

/**
 * Calls `reload` on each SIGHUP until it is closed: never two at once, and for those that come meanwhile once more.
 *
 * It does not keep the process alive, unless the program was started with the signal blocked. System calls: as
 * {@linkcode signals}.
 *
 * @throws {TypeError} if there is no such signal, or it cannot be heard.
 * @throws {NotSupportedError} if it is a real-time signal, and was not blocked when the program was started.
 *
 * @example
 * ```ts
 * import { onReload, send } from "@ipc/signal";
 *
 * let configuration = "old";
 * using _reloading = onReload(async () => {
 *   configuration = await Promise.resolve("new"); // Reads a file, as a rule.
 * });
 * send(Deno.pid, "SIGHUP"); // From a shell, as a rule: kill -HUP.
 * while (configuration === "old") await new Promise((resolve) => setTimeout(resolve, 1));
 * ```
 */
export function onReload(reload: () => void | Promise<void>, options: ReloadOptions = {}): Reloading {
  const { on = "SIGHUP", onError = reportError } = options;
  let running = false;
  let again = false;
  let closed = false;
  const run = async () => {
    again = true;
    if (running) return;
    running = true;
    while (again && !closed) {
      again = false;
      try {
        await reload();
      } catch (error) {
        try {
          onError(error);
        } catch (another) {
          reportError(another);
        }
      }
    }
    running = false;
  };
  // Refuses what cannot be heard.
  const heard = signals(on);
  const deafen = heard.detailed ? listen(heard, run) : listenUnheld(heard, on as Deno.Signal, run);
  const close = () => {
    if (!closed) deafen();
    closed = true;
  };
  return { close, [Symbol.dispose]: close };
}

/** Calls `run` on each; a wait for them keeps the process alive. */
function listen(heard: Signals, run: () => void): () => void {
  (async () => {
    for await (const _ of heard) run();
  })();
  return () => heard.close();
}

/** The same for those that the runtime hears, which need not be waited for. */
function listenUnheld(heard: Signals, on: Deno.Signal, run: () => void): () => void {
  heard.close();
  Deno.addSignalListener(on, run);
  return () => Deno.removeSignalListener(on, run);
}
