import { signals } from "./signals.ts";
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
 * It does not keep the process alive. System calls: as {@linkcode signals}.
 *
 * @throws {TypeError} if there is no such signal, or it cannot be heard.
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
  if (on.startsWith("SIGRT")) {
    throw new TypeError(`Cannot reload on ${on}: the runtime has no real-time signals`);
  }
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
        onError(error);
      }
    }
    running = false;
  };
  // Refuses what cannot be heard.
  signals(on).close();
  Deno.addSignalListener(on as Deno.Signal, run);
  const close = () => {
    if (!closed) Deno.removeSignalListener(on as Deno.Signal, run);
    closed = true;
  };
  return { close, [Symbol.dispose]: close };
}
