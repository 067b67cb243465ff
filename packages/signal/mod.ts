/**
 * Signals: sent to the right process, heard as messages, and what programs do with them.
 *
 * - {@linkcode send} sends one, with a number if wanted, to a process, a group, or a {@linkcode ProcessHandle} that
 *   cannot be mistaken for another process; {@linkcode alive} and {@linkcode watch} tell of a process's end.
 * - {@linkcode signals} hears them: a Receiver and an async iterable.
 * - {@linkcode Doorbell} wakes a process that waits for shared memory, {@linkcode onReload} and
 *   {@linkcode runUntilStopped} are what servers do on SIGHUP and SIGTERM.
 *
 * SIGUSR1 is refused: a Deno that gets it opens its inspector to every local user.
 *
 * @example
 * ```ts
 * import { send, signals } from "@ipc/signal";
 * import { assertEquals } from "@std/assert";
 *
 * using heard = signals("SIGUSR2");
 * send(Deno.pid, "SIGUSR2"); // From another process, as a rule.
 * assertEquals((await heard.receive())?.signal, "SIGUSR2");
 * ```
 *
 * @module
 */

export * from "./doorbell.ts";
export * from "./names.ts";
export * from "./process_handle.ts";
export * from "./reload.ts";
export * from "./send.ts";
export * from "./signals.ts";
export * from "./stop.ts";
export * from "./watch.ts";
