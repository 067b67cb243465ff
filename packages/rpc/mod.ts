/**
 * Remote calls that feel local: JSON-RPC 2.0 over any channel, typed by an interface, with streams, callbacks,
 * cancellation and deadlines.
 *
 * - {@linkcode serve} answers for the methods of an interface, {@linkcode client} calls them;
 * - {@linkcode RpcPeer} does both over one channel;
 * - {@linkcode method} adds schemas to a method, {@linkcode reconnecting} makes calls outlive a connection.
 *
 * It runs wherever JavaScript runs and needs no permission: what carries the messages is up to the channel.
 *
 * @example
 * ```ts
 * import { client, serve } from "@ipc/rpc";
 * import { duplex } from "@ipc/core";
 * import { createPipe } from "@ipc/pipe";
 * import { assertEquals } from "@std/assert";
 *
 * interface Api { add(a: number, b: number): number }
 * const [up, down] = [createPipe(), createPipe()];
 * await using _ = serve<Api>(duplex(up.reader, down.writer), { add: (a, b) => a + b });
 * await using api = client<Api>(duplex(down.reader, up.writer));
 * assertEquals(await api.add(1, 2), 3);
 * ```
 *
 * @module
 */

export * from "./api.ts";
export * from "./callback.ts";
export * from "./channel.ts";
export * from "./client.ts";
export * from "./context.ts";
export * from "./disconnected_error.ts";
export * from "./limits.ts";
export * from "./method.ts";
export * from "./options.ts";
export * from "./peer.ts";
export * from "./reconnecting.ts";
export * from "./rpc_error.ts";
export * from "./schema.ts";
export * from "./serve.ts";
