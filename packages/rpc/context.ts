/** What a method knows of the call it answers. */

import type { RpcPeer } from "./peer.ts";

/**
 * `this` in a method that is no arrow function: who calls, and how long the answer is wanted.
 *
 * It is also the options of a call: a nested call made with them is cancelled with the outer one and has the rest
 * of its time.
 *
 * @example
 * ```ts ignore
 * serve<Api>(channel, {
 *   async report(this: RpcContext, day: string) {
 *     return await database.with(this).query(day);
 *   },
 * });
 * ```
 */
export interface RpcContext<Caller = unknown> {
  /** Aborts when the caller cancels, its time is over or it is gone. */
  readonly signal: AbortSignal;
  /** Milliseconds that remain of the caller's time; `undefined`: it set none. */
  readonly timeout: number | undefined;
  /** The peer that the call came through: `client(this.peer)` calls back. */
  readonly peer: RpcPeer;
  /** Who calls, as the one who serves was told by its transport. */
  readonly caller: Caller;
  /** The name of the method. */
  readonly method: string;
}
