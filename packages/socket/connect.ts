/** Connecting to an address. */

import type { Channel, WaitOptions } from "@ipc/core";
import { type NetAddress, splitAddress, type UnixAddress } from "./address.ts";
import { connectUnix, type UnixConnectOptions } from "./connect_unix.ts";
import { reconnecting, type ReconnectingChannel, type ReconnectOptions } from "./reconnect.ts";
import { connectTcp, type TcpConnectOptions, type TcpStream } from "./tcp.ts";
import { connectTls, type TlsConnectOptions, type TlsStream } from "./tls.ts";
import { connectUdp, type UdpOptions, type UdpSocket } from "./udp.ts";
import type { UnixDatagram } from "./unix_datagram.ts";
import type { UnixSeqpacket } from "./unix_seqpacket.ts";
import type { UnixStream } from "./unix_stream.ts";
import { toUnixAddress } from "./_unix_address.ts";
import { connectWebSocket, type WebSocketChannel, type WebSocketConnectOptions } from "./web_socket.ts";

/** How to connect to any address; each kind overlooks what is for others. */
export type ConnectOptions =
  & UnixConnectOptions
  & TcpConnectOptions
  & UdpOptions
  & TlsConnectOptions
  & WebSocketConnectOptions
  & {
    /** Makes a channel that outlives its connections; the first is waited for as long as `timeout` says. */
    reconnect?: ReconnectOptions | undefined;
  };

/**
 * Connects to an address.
 *
 * @throws {NotFoundError} if there is nothing of this name.
 * @throws {TimeoutError} if nobody answered within `timeout`.
 * @throws {TypeError} if the address cannot be read.
 *
 * @example
 * ```ts
 * import { connect } from "@ipc/socket";
 * import { NotFoundError } from "@ipc/core";
 * import { assertRejects } from "@std/assert";
 *
 * await assertRejects(() => connect("unix:/nowhere/socket", { timeout: 1000 }), NotFoundError);
 * ```
 */
export function connect(
  address: `unix:${string}` | UnixAddress & { type: "unix" },
  options?: UnixConnectOptions,
): Promise<UnixStream>;
/** Connects to an address of whole messages. */
export function connect(
  address: `unix-seqpacket:${string}` | UnixAddress & { type: "unix-seqpacket" },
  options?: UnixConnectOptions,
): Promise<UnixSeqpacket>;
/** Connects to an address of datagrams. */
export function connect(
  address: `unix-dgram:${string}` | UnixAddress & { type: "unix-dgram" },
  options?: UnixConnectOptions,
): Promise<UnixDatagram>;
/** Connects to a TCP listener: `tcp:host:port`, `tcp:[2001:db8::1]:port`. */
export function connect(
  address: `tcp:${string}` | NetAddress & { type: "tcp" },
  options?: TcpConnectOptions,
): Promise<TcpStream>;
/** Connects to a TLS listener: `tls:host:port`. */
export function connect(
  address: `tls:${string}` | NetAddress & { type: "tls" },
  options?: TlsConnectOptions,
): Promise<TlsStream>;
/** Makes a UDP socket that sends to one address and receives from there alone: `udp:host:port`. */
export function connect(
  address: `udp:${string}` | NetAddress & { type: "udp" },
  options?: UdpOptions & WaitOptions,
): Promise<UdpSocket>;
/** Opens a WebSocket: `ws://host:port/path`, `wss://…`. */
export function connect(
  address: `ws://${string}` | `wss://${string}`,
  options?: WebSocketConnectOptions,
): Promise<WebSocketChannel>;
/** Connects to an address, and to it again whenever the connection is lost. */
export function connect(
  address: string | UnixAddress | NetAddress,
  options: ConnectOptions & { reconnect: ReconnectOptions },
): Promise<ReconnectingChannel>;
/** Connects to an address. */
export function connect(
  address: string | UnixAddress | NetAddress,
  options?: ConnectOptions,
): Promise<Channel>;
/** Connects to an address. */
export async function connect(
  address: string | UnixAddress | NetAddress,
  options: ConnectOptions = {},
): Promise<Channel> {
  const { reconnect, ...rest } = options;
  if (reconnect === undefined) return await connectOnce(address, rest);
  const { timeout, signal } = options;
  return await reconnecting(
    (attempt) => connectOnce(address, { ...rest, timeout: undefined, ...attempt }),
    { ...reconnect, timeout, signal },
  );
}

function connectOnce(address: string | UnixAddress | NetAddress, options: ConnectOptions): Promise<Channel> {
  const { scheme, rest } = typeof address === "string"
    ? splitAddress(address)
    : { scheme: address.type, rest: undefined };
  switch (scheme) {
    case "unix":
    case "unix-seqpacket":
    case "unix-dgram":
      return connectUnix(rest === undefined ? address as UnixAddress : toUnixAddress(scheme, rest), options);
    case "tcp":
      return connectTcp(rest ?? address as NetAddress, options);
    case "tls":
      return connectTls(rest ?? address as NetAddress, options);
    case "udp":
      return connectUdp(rest ?? address as NetAddress, options);
    case "ws":
    case "wss":
      return connectWebSocket(address as string, options);
    default:
      throw new TypeError(`Cannot connect to "${scheme}:": there are ${SCHEMES.join(" ")}`);
  }
}

const SCHEMES = ["unix:", "unix-seqpacket:", "unix-dgram:", "tcp:", "tls:", "udp:", "ws:", "wss:"];
