/** Services at an address of this machine. */

import { listen, type Peer, type UnixAddress, type UnixListenOptions } from "@ipc/socket";
import type { Handlers } from "./api.ts";
import { carriesBytes } from "./_local_binary.ts";
import { serveListener, type ServeListenerOptions } from "./local_serve_listener.ts";
import type { RpcServer } from "./local_server.ts";
import { prepare } from "./_methods.ts";

/** Where unix sockets listen that carry calls. */
export type LocalAddress =
  | `unix:${string}`
  | `unix-seqpacket:${string}`
  | UnixAddress & { readonly type: "unix" | "unix-seqpacket" };

/** How a service listens; `binary` is set unless the framing cannot carry it, or it is told. */
export interface LocalServeOptions extends UnixListenOptions, Omit<ServeListenerOptions, "caller"> {}

/**
 * Listens at a unix socket and serves the methods of an interface to everybody who may connect; `this.caller` is the
 * process that calls, as the kernel knows it.
 *
 * This user and root may connect unless `authorize` says otherwise. For programs that know nothing of this package,
 * `framing: "lines"`, `"content-length"` or `"nul"`.
 *
 * System calls: those of `listen` of `@ipc/socket`, and `getsockopt` and `readlink` for each connection.
 *
 * @throws {AlreadyExistsError} if somebody listens there.
 * @throws {TypeError} if the address cannot be read, or an entry is no method.
 *
 * @example
 * ```ts
 * import { connectLocal, serveLocal } from "@ipc/rpc/local";
 * import { assertEquals } from "@std/assert";
 *
 * interface Api { add(a: number, b: number): number }
 * const address = `unix:${await Deno.makeTempDir()}/sums.sock` as const;
 * await using server = await serveLocal<Api>(address, { add: (a, b) => a + b }, {
 *   authorize: ({ uid }) => uid === Deno.uid(),
 * });
 * await using api = await connectLocal<Api>(address);
 * assertEquals(await api.add(1, 2), 3);
 * assertEquals(server.connections, 1);
 * ```
 */
export async function serveLocal<Api>(
  address: LocalAddress,
  handlers: Handlers<Api, Peer>,
  options: LocalServeOptions = {},
): Promise<RpcServer> {
  prepare(handlers);
  const listener = await listen(address as `unix:${string}`, options);
  return serveListener(listener, handlers, {
    binary: carriesBytes(options),
    ...options,
    caller: (channel) => channel.peer(),
  });
}
