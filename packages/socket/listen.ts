/** Listening at an address. */

import type { Channel } from "@ipc/core";
import { type NetAddress, splitAddress, type UnixAddress } from "./address.ts";
import { listenUnix, type UnixListenOptions } from "./listen_unix.ts";
import type { Listener } from "./listener.ts";
import { listenTcp, type TcpListenOptions } from "./tcp_listener.ts";
import type { TcpStream } from "./tcp.ts";
import { listenTls, type TlsListenOptions } from "./tls_listener.ts";
import type { TlsStream } from "./tls.ts";
import type { UnixSeqpacket } from "./unix_seqpacket.ts";
import type { UnixStream } from "./unix_stream.ts";
import { toUnixAddress } from "./_unix_address.ts";
import { listenWebSocket, type WebSocketListenOptions } from "./web_socket_listener.ts";
import type { WebSocketChannel } from "./web_socket.ts";

/** How to listen at any address; who may connect is told per kind of address. */
export type ListenOptions = Omit<
  UnixListenOptions & TcpListenOptions & WebSocketListenOptions & Partial<TlsListenOptions>,
  "authorize"
>;

/**
 * Listens at an address.
 *
 * Resolves once those who connect get through. Datagrams have no connections: {@linkcode bindUnixDatagram} and
 * {@linkcode bindUdp} give one channel for all who send.
 *
 * @throws {AlreadyExistsError} if the address is in use.
 * @throws {TypeError} if the address cannot be read, or is one of datagrams.
 *
 * @example
 * ```ts
 * import { connect, listen } from "@ipc/socket";
 * import { assertEquals } from "@std/assert";
 *
 * const path = `${await Deno.makeTempDir()}/socket`;
 * await using listener = await listen({ type: "unix", path }, { framing: "lines", mode: 0o660 });
 * await using client = await connect({ type: "unix", path }, { framing: "lines" });
 * await using server = await listener.accept();
 * await client.send(new TextEncoder().encode("hello"));
 * assertEquals(new TextDecoder().decode(await server?.receive()), "hello");
 * ```
 */
export function listen(
  address: `unix:${string}` | UnixAddress & { type: "unix" },
  options?: UnixListenOptions,
): Promise<Listener<UnixStream>>;
/** Listens at an address of whole messages. */
export function listen(
  address: `unix-seqpacket:${string}` | UnixAddress & { type: "unix-seqpacket" },
  options?: UnixListenOptions,
): Promise<Listener<UnixSeqpacket>>;
/** Listens for TCP connections: `tcp:host:port`, and `tcp::port` for every address of this machine. */
export function listen(
  address: `tcp:${string}` | NetAddress & { type: "tcp" },
  options?: TcpListenOptions,
): Promise<Listener<TcpStream>>;
/** Listens for TLS connections: `tls:host:port`. */
export function listen(
  address: `tls:${string}` | NetAddress & { type: "tls" },
  options: TlsListenOptions,
): Promise<Listener<TlsStream>>;
/** Listens for WebSockets: `ws://host:port/path`, `wss://…`. */
export function listen(
  address: `ws://${string}` | `wss://${string}`,
  options?: WebSocketListenOptions,
): Promise<Listener<WebSocketChannel>>;
/** Listens at an address. */
export function listen(
  address: string | UnixAddress | NetAddress,
  options?: ListenOptions,
): Promise<Listener<Channel>>;
/** Listens at an address. */
export async function listen(
  address: string | UnixAddress | NetAddress,
  options: object = {},
): Promise<Listener<Channel>> {
  return await listenAt(address, options);
}

function listenAt(
  address: string | UnixAddress | NetAddress,
  options: ListenOptions,
): Promise<Listener<Channel>> {
  const { scheme, rest } = typeof address === "string"
    ? splitAddress(address)
    : { scheme: address.type, rest: undefined };
  switch (scheme) {
    case "unix":
    case "unix-seqpacket":
      return listenUnix(
        rest === undefined ? address as UnixAddress : toUnixAddress(scheme, rest),
        options,
      );
    case "tcp":
      return listenTcp(rest ?? address as NetAddress, options);
    case "tls": {
      const { cert, key } = options;
      if (cert === undefined || key === undefined) {
        throw new TypeError("Cannot listen for TLS without cert and key");
      }
      return listenTls(rest ?? address as NetAddress, { ...options, cert, key });
    }
    case "ws":
    case "wss":
      return listenWebSocket(address as string, options);
    case "unix-dgram":
    case "udp": {
      const bind = scheme === "udp" ? "bindUdp" : "bindUnixDatagram";
      throw new TypeError(
        `Cannot listen at "${scheme}:": datagrams have no connections; ${bind} receives from whoever sends`,
      );
    }
    default:
      throw new TypeError(
        `Cannot listen at "${scheme}:": there are unix: unix-seqpacket: tcp: tls: ws: and wss:`,
      );
  }
}
