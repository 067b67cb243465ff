/** Calls to a service of this machine. */

import { connect, type UnixConnectOptions } from "@ipc/socket";
import type { Client } from "./api.ts";
import { client } from "./client.ts";
import { carriesBytes } from "./_local_binary.ts";
import type { LocalAddress } from "./local_serve.ts";
import type { PeerOptions } from "./options.ts";

/**
 * How a client connects; `timeout` and `signal` are for the connecting. `binary` is set unless the framing cannot carry
 * it, or it is told.
 */
export interface LocalConnectOptions extends UnixConnectOptions, PeerOptions {}

/**
 * Connects to a unix socket and gives the methods that are served there.
 *
 * System calls: those of `connect` of `@ipc/socket`.
 *
 * @throws {NotFoundError} if there is no such path.
 * @throws {IpcError} with code `ECONNREFUSED` if nobody listens there.
 * @throws {TimeoutError} if nobody answered within `timeout`.
 * @throws {UntrustedError} if `authorize` does not trust who listens.
 *
 * @example
 * ```ts
 * import { connectLocal, serveLocal } from "@ipc/rpc/local";
 * import { assertEquals } from "@std/assert";
 *
 * interface Api { countTo(limit: number): AsyncIterable<number> }
 * await using server = await serveLocal<Api>(`unix-seqpacket:${await Deno.makeTempDir()}/count`, {
 *   async *countTo(limit) {
 *     for (let at = 1; at <= limit; at++) yield at;
 *   },
 * });
 * await using api = await connectLocal<Api>(server.address, { timeout: 5000 });
 * assertEquals(await Array.fromAsync(api.countTo(3)), [1, 2, 3]);
 * ```
 */
export async function connectLocal<Api>(
  address: LocalAddress | (string & Record<never, never>),
  options: LocalConnectOptions = {},
): Promise<Client<Api>> {
  const channel = await connect(address as `unix:${string}`, options);
  return client<Api>(channel, { binary: carriesBytes(options), ...options });
}
