/** A service for every connection of a listener. */

import type { Channel } from "@ipc/core";
import type { Listener } from "@ipc/socket";
import type { Handlers } from "./api.ts";
import { RpcServer } from "./local_server.ts";
import { prepare } from "./_methods.ts";
import type { ServeOptions } from "./options.ts";
import { RpcPeer } from "./peer.ts";

/** How connections are served. */
export interface ServeListenerOptions<C = Channel, Caller = unknown> extends Omit<ServeOptions, "caller"> {
  /** Who calls over a channel, as the methods get it as `this.caller`. What it throws closes that channel. */
  caller?: ((channel: C) => Caller) | undefined;
}

/**
 * Serves the methods of an interface to everybody who connects to a listener of `@ipc/socket`: TCP, TLS and WebSockets
 * as well as unix sockets.
 *
 * It owns the listener. A failure of one connection is that connection's; `onError` hears of it.
 *
 * @throws {TypeError} if an entry is no function, or has a name that is reserved.
 *
 * @example
 * ```ts
 * import { client, type RpcContext } from "@ipc/rpc";
 * import { serveListener } from "@ipc/rpc/local";
 * import { connect, listen, type TcpStream } from "@ipc/socket";
 * import { assertEquals } from "@std/assert";
 *
 * interface Api { from(): string }
 * await using server = serveListener<Api, string, TcpStream>(await listen("tcp:127.0.0.1:0"), {
 *   from(this: RpcContext<string>) {
 *     return this.caller;
 *   },
 * }, { caller: (channel) => channel.remoteAddress.host });
 *
 * await using api = client<Api>(await connect(server.address));
 * assertEquals(await api.from(), "127.0.0.1");
 * ```
 */
export function serveListener<Api, Caller = unknown, C extends Channel = Channel>(
  listener: Listener<C>,
  handlers: Handlers<Api, Caller>,
  options: ServeListenerOptions<C, Caller> = {},
): RpcServer {
  // What is wrong with the table is told now, and not to each who connects.
  prepare(handlers);
  const { caller, ...peerOptions } = options;
  return new RpcServer(listener, (channel) => {
    const context = { caller: caller?.(channel as C), info: options.info };
    const peer = new RpcPeer(channel, peerOptions);
    peer.serve(handlers, context);
    return peer;
  }, options.onError);
}
