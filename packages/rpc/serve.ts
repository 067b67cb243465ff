/** Methods for the other side. */

import type { Handlers } from "./api.ts";
import type { RpcChannel } from "./channel.ts";
import { prepare } from "./_methods.ts";
import type { ServeOptions } from "./options.ts";
import { RpcPeer } from "./peer.ts";

/**
 * Serves the methods of an interface over a channel, or over a peer that has one already.
 *
 * A method is a function that gives a value, a promise, or an `AsyncIterable` for a stream; one that is no arrow
 * function has the call's {@linkcode RpcContext} as `this`. Only the table's own keys are methods. What a method
 * throws crosses as it is if it is an {@linkcode RpcError}, an `IpcError` with its code, anything else as "Internal
 * error" unless `exposeErrors` is set.
 *
 * @throws {TypeError} if an entry is no function, or has a name that is reserved.
 *
 * @example
 * ```ts
 * import { client, serve } from "@ipc/rpc";
 * import { duplex } from "@ipc/core";
 * import { createPipe } from "@ipc/pipe";
 * import { assertEquals } from "@std/assert";
 *
 * interface Api {
 *   add(a: number, b: number): number;
 *   count(to: number): AsyncIterable<number>;
 * }
 * const [up, down] = [createPipe(), createPipe()];
 * await using server = serve<Api>(duplex(up.reader, down.writer), {
 *   add: (a, b) => a + b,
 *   async *count(to) {
 *     for (let at = 1; at <= to; at++) yield at;
 *   },
 * });
 * await using api = client<Api>(duplex(down.reader, up.writer));
 * assertEquals(await api.add(1, 2), 3);
 * let sum = 0;
 * for await (const value of api.count(4)) sum += value;
 * assertEquals(sum, 10);
 * ```
 */
export function serve<Api, Caller = unknown>(
  channel: RpcChannel | RpcPeer,
  handlers: Handlers<Api, Caller>,
  options: ServeOptions<Caller> = {},
): RpcPeer {
  // A table that is wrong leaves the channel to the one who has it.
  prepare(handlers);
  const peer = channel instanceof RpcPeer ? channel : new RpcPeer(channel, options);
  peer.serve(handlers, options);
  return peer;
}
