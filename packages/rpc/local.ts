/**
 * Services on this machine: JSON-RPC over unix sockets, whose methods know which process calls, and of whose user.
 *
 * {@linkcode serveLocal} listens at an address and serves whoever may connect, {@linkcode connectLocal} calls.
 * {@linkcode serveListener} does the same for every other listener of `@ipc/socket`.
 *
 * @example
 * ```ts
 * import type { RpcContext } from "@ipc/rpc";
 * import { connectLocal, serveLocal } from "@ipc/rpc/local";
 * import type { Peer } from "@ipc/socket";
 * import { assertEquals } from "@std/assert";
 *
 * interface Api { whoAmI(): { pid: number; uid: number } }
 * const address = `unix:${await Deno.makeTempDir()}/who.sock` as const;
 * await using server = await serveLocal<Api>(address, {
 *   whoAmI(this: RpcContext<Peer>) {
 *     const { pid, uid } = this.caller;
 *     return { pid, uid };
 *   },
 * });
 *
 * await using api = await connectLocal<Api>(server.address); // In another process, as a rule.
 * assertEquals(await api.whoAmI(), { pid: Deno.pid, uid: Deno.uid()! });
 * ```
 *
 * @module
 */

export * from "./local_connect.ts";
export * from "./local_serve.ts";
export * from "./local_serve_listener.ts";
export * from "./local_server.ts";
