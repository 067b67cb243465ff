import { type OwnedFd, setNonblocking, stat } from "@ipc/core/sys";
import { constants } from "./_abi.ts";
import { checkConnections, unixListener, type UnixListenOptions } from "./listen_unix.ts";
import type { Listener } from "./listener.ts";
import { net } from "./_net_abi.ts";
import { getOption } from "./_socket_options.ts";
import { checkStream } from "./_stream_channel.ts";
import { nameOf } from "./_unix_socket.ts";
import { checkTcp, type TcpStream } from "./tcp.ts";
import { tcpListener, type TcpListenOptions } from "./tcp_listener.ts";
import type { UnixSeqpacket } from "./unix_seqpacket.ts";
import type { UnixStream } from "./unix_stream.ts";

/** What a listener is told that did not bind its socket itself. */
export type AdoptOptions = Omit<
  UnixListenOptions & TcpListenOptions,
  "authorize" | "mode" | "sameUser" | "backlog" | "signal" | "timeout" | "reusePort" | "reuseAddress"
>;

/**
 * Makes a listener of a socket that listens already: one that another process has passed on, or that `activated` gave.
 *
 * It takes the descriptor over, unless the socket is of another kind. Several processes may accept connections of one
 * socket at the same time: each connection goes to one of them. The path of a unix socket stays when this listener is
 * closed, for it is somebody else's. Who may connect is as with `listen`: this user and root at a unix socket, unless
 * `authorize` is told.
 *
 * System calls: `getsockopt`, `getsockname`, `fcntl`.
 *
 * @throws {TypeError} if it is no socket of this kind that listens.
 *
 * @example
 * ```ts
 * import { adoptListener, connect, listen, socketPair } from "@ipc/socket";
 * import { assertEquals } from "@std/assert";
 *
 * using first = await listen("tcp:127.0.0.1:0");
 * const [here, there] = socketPair("seqpacket");
 * await using _ = here, __ = there;
 * await here.sendHandles(new Uint8Array(0), [first]);
 * const { handles } = (await there.receiveWithHandles())!; // In another process, as a rule.
 * using second = adoptListener("tcp", handles[0]!);
 * first.close();
 * using client = await connect(second.address);
 * using server = await second.accept();
 * await client.send(new Uint8Array([7]));
 * assertEquals(await server?.receive(), new Uint8Array([7]));
 * server?.close();
 * ```
 */
export function adoptListener(
  type: "unix",
  socket: OwnedFd,
  options?: AdoptOptions & Pick<UnixListenOptions, "authorize">,
): Listener<UnixStream>;
/** Makes a listener of a socket of whole messages that listens already. */
export function adoptListener(
  type: "unix-seqpacket",
  socket: OwnedFd,
  options?: AdoptOptions & Pick<UnixListenOptions, "authorize">,
): Listener<UnixSeqpacket>;
/** Makes a listener of a TCP socket that listens already. */
export function adoptListener(
  type: "tcp",
  socket: OwnedFd,
  options?: AdoptOptions & Pick<TcpListenOptions, "authorize">,
): Listener<TcpStream>;
/** Makes a listener of a socket that listens already. */
export function adoptListener(
  type: "unix" | "unix-seqpacket" | "tcp",
  socket: OwnedFd,
  options: object = {},
):
  | Listener<UnixStream>
  | Listener<UnixSeqpacket>
  | Listener<UnixStream | UnixSeqpacket>
  | Listener<TcpStream> {
  if (type === "tcp") {
    checkTcp(options);
    checkStream(options);
  } else checkConnections(type, options);
  const found = kindOf(socket.fd);
  if (found !== type) {
    throw new TypeError(`Cannot listen at descriptor ${socket.fd} for "${type}": it is ${found}`);
  }
  setNonblocking(socket.fd, true);
  if (type === "tcp") return tcpListener(socket.take(), options);
  const path = nameOf(socket.fd) ?? "";
  return unixListener(socket.take(), { type, path }, options);
}

/** What a descriptor listens for, or why it does not. */
function kindOf(fd: number): string {
  const { SOL_SOCKET, SO_DOMAIN, SO_TYPE, SO_ACCEPTCONN, AF_UNIX, SOCK_STREAM } = constants;
  const option = (name: number) => getOption(fd, SOL_SOCKET, name, "the kind");
  if (stat(fd).type !== "socket") return "no socket";
  if (option(SO_ACCEPTCONN) === 0) return "a socket that does not listen";
  const stream = option(SO_TYPE) === SOCK_STREAM;
  const domain = option(SO_DOMAIN);
  if (domain === AF_UNIX) return stream ? "unix" : "unix-seqpacket";
  const inet = domain === net.AF_INET || domain === net.AF_INET6;
  return inet && stream ? "tcp" : `of domain ${domain}`;
}
