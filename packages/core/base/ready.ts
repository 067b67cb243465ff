/**
 * Waiting for a message without taking it: what lets `select` and `merge` never lose one.
 *
 * @module
 */

import type { WaitOptions } from "../channel.ts";

/**
 * The key of the method that waits for a message and leaves it where it is.
 *
 * The symbol is registered, so that two versions of this package in one program understand each other.
 *
 * @example
 * ```ts
 * import { READY } from "@ipc/core/base";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(READY.description, "@ipc/core/ready");
 * ```
 */
export const READY: unique symbol = Symbol.for("@ipc/core/ready") as typeof READY;

/**
 * A receiver that can say when a message is there.
 *
 * Optional: `select` and `merge` use it where it is, and otherwise abort a `receive` that lost.
 */
export interface Readiness {
  /**
   * Resolves when a `receive` called now would not wait: for a message, an error or the end.
   *
   * It takes nothing away and reserves nothing: who takes the message first has it, so ask with
   * `receive({ timeout: 0 })` afterwards and expect a `TimeoutError`. Several may pend. Closing the receiver
   * resolves it. With `signal` it rejects with `signal.reason`, with `timeout` with a `TimeoutError`. While
   * one pends, the process stays alive and a synchronous receive may throw, as beside a pending receive.
   */
  [READY](options?: WaitOptions): Promise<void>;
}

/**
 * Whether a receiver can say when a message is there.
 *
 * @example
 * ```ts
 * import { hasReadiness } from "@ipc/core/base";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(hasReadiness({}), false);
 * ```
 */
export function hasReadiness(receiver: object): receiver is Readiness {
  return typeof (receiver as Partial<Readiness>)[READY] === "function";
}
