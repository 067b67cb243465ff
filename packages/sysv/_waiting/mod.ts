/**
 * Waiting on System V objects, which have no descriptor to wait for.
 *
 * Each function begins a wait as `Park` of core has it: `wake` is called once, when trying again may succeed, also
 * when the object was removed or anything else is odd, for whoever tries learns why. The wait keeps the process
 * alive. What is returned gives it up; when that returns, no thread waits any more.
 *
 * @module
 */

export * from "./block.ts";
export { waitingDiagnostics } from "./engine.ts";
export * from "./wait.ts";
