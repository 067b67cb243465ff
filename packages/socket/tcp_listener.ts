import type { WaitOptions } from "@ipc/core";
import { errno } from "@ipc/core/sys";
import { constants } from "./_abi.ts";
import { AcceptSource, REFUSED } from "./_accept_source.ts";
import { ByteBudget, type TotalOptions } from "./_byte_budget.ts";
import { addressOf, formatAddress, type InetAddress, inetAddress, resolve } from "./_inet_address.ts";
import { libc } from "./_libc.ts";
import { bindSocket, listenFailure, openSocket, servingBothFirst, setVersions } from "./_net_bind.ts";
import { type BufferOptions, setBuffers, setOption } from "./_socket_options.ts";
import { checkStream } from "./_stream_channel.ts";
import { Listener } from "./listener.ts";
import { checkTcp, type TcpOptions, TcpStream } from "./tcp.ts";

/** How a socket listens for TCP connections. */
export interface SocketListenOptions extends BufferOptions, WaitOptions {
  /** Connections that the kernel holds until they are accepted; 4096, or net.core.somaxconn, unless told. */
  backlog?: number | undefined;
  /** Lets several processes of one user share the connections among them (SO_REUSEPORT); false unless told. */
  reusePort?: boolean | undefined;
  /** Takes the address again at once after a server that had connections (SO_REUSEADDR); true unless told. */
  reuseAddress?: boolean | undefined;
}

/** How to listen for TCP connections; what is told of messages is for each connection. */
export interface TcpListenOptions extends TcpOptions, SocketListenOptions, TotalOptions {
  /** The most accepted connections that may be open at a time, others wait in the kernel; 1024 unless told. */
  maxConnections?: number | undefined;
  /** Asked of each connection before it is accepted; unless it says `true`, the connection is closed at once. */
  authorize?: ((peer: InetAddress) => boolean) | undefined;
}

/**
 * Listens for TCP connections at `host:port` or `:port`, which is every address of this machine; port 0 is one that is
 * free.
 *
 * Anybody who reaches the address can connect, and there is no telling who it is: for one machine, a unix socket is
 * the better choice. Against peers that mean harm there are `maxMessageSize` and `idleTimeout` for each connection and
 * `maxConnections` and `maxTotalBufferedBytes` for all: they take at most four times the latter, and 64 KiB each.
 *
 * System calls: `getaddrinfo` on a thread of the pool where the host is a name, `socket`, `bind`, `listen`.
 *
 * @throws {AlreadyExistsError} with code `EADDRINUSE` if somebody else listens there.
 * @throws {NotFoundError} if there is no such host.
 * @throws {PermissionError} if the port is below 1024 and this user may not have it.
 * @throws {IpcError} with code `EADDRNOTAVAIL` if it is not an address of this machine.
 *
 * @example
 * ```ts
 * import { connectTcp, listenTcp } from "@ipc/socket";
 * import { assertEquals } from "@std/assert";
 *
 * await using listener = await listenTcp("127.0.0.1:0", { maxMessageSize: 4096, idleTimeout: 10_000 });
 * await using client = await connectTcp(listener.address);
 * await using server = await listener.accept();
 * assertEquals(server?.remoteAddress, client.localAddress);
 * ```
 */
export async function listenTcp(
  at: InetAddress | string,
  options: TcpListenOptions = {},
): Promise<Listener<TcpStream>> {
  const address = inetAddress(at, "tcp");
  checkTcp(options);
  checkStream(options);
  return tcpListener(await listeningSocket(address, options), options);
}

/** A non-blocking socket that listens at an address. */
export async function listeningSocket(address: InetAddress, options: SocketListenOptions): Promise<number> {
  const { backlog = constants.SOMAXCONN, timeout, signal } = options;
  if (!(Number.isInteger(backlog) && backlog >= 0)) {
    throw new RangeError(`Cannot listen with backlog ${backlog}: it is an integer from 0`);
  }
  const found = await resolve(address, { type: constants.SOCK_STREAM, passive: true, timeout, signal });
  return listenAtFirst(found, address, Math.min(backlog, 0x7fff_ffff), options);
}

/** Makes a listener of a non-blocking socket that listens, and closes it if that fails. */
export function tcpListener(fd: number, options: TcpListenOptions): Listener<TcpStream> {
  const { maxConnections, authorize } = options;
  let bound: string;
  let budget: ByteBudget;
  try {
    budget = new ByteBudget(options, checkStream(options).maxMessageSize);
    bound = `tcp:${formatAddress(addressOf(fd, "local")!)}`;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
  const admit = (connection: number, onClose: () => void) => {
    if (authorize === undefined || admits(connection, authorize)) {
      return new TcpStream(connection, options, { onClose, budget });
    }
    libc.close(connection);
    return REFUSED;
  };
  return new Listener(new AcceptSource<TcpStream>({ fd, address: bound, maxConnections, admit }));
}

/** Whether the caller wants a connection; one that is gone already has no address to ask about. */
function admits(fd: number, authorize: (peer: InetAddress) => boolean): boolean {
  try {
    const peer = addressOf(fd, "remote");
    return peer !== undefined && authorize(peer) === true;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

/** Listens at the first address of a name that can be had. */
function listenAtFirst(
  found: Uint8Array<ArrayBuffer>[],
  address: InetAddress,
  backlog: number,
  options: SocketListenOptions,
): number {
  if (address.host === "") found = servingBothFirst(found);
  let failure: unknown;
  for (const sockaddr of found) {
    let fd: number;
    try {
      fd = openSocket(sockaddr, constants.SOCK_STREAM);
    } catch (error) {
      failure = error;
      continue;
    }
    try {
      prepare(fd, sockaddr, address, options);
      bindSocket(fd, sockaddr, address);
      if (libc.listen(fd, backlog) === 0) return fd;
      throw listenFailure(errno(), "listen", address);
    } catch (error) {
      libc.close(fd);
      failure = error;
    }
  }
  throw failure;
}

function prepare(
  fd: number,
  sockaddr: Uint8Array,
  { host }: InetAddress,
  options: SocketListenOptions,
): void {
  const { SOL_SOCKET, SO_REUSEADDR, SO_REUSEPORT } = constants;
  if (options.reuseAddress !== false) setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1, "reuse of the address");
  if (options.reusePort) setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1, "reuse of the port");
  setVersions(fd, sockaddr, host === "");
  // Connections have the sizes of their listener from the first packet on.
  setBuffers(fd, options);
}
