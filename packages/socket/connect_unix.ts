import type { WaitOptions } from "@ipc/core";
import { setNonblocking } from "@ipc/core/sys";
import { constants } from "./_abi.ts";
import type { UnixAddress } from "./address.ts";
import { libc } from "./_libc.ts";
import { checkPacket, type PacketOptions } from "./_packet_channel.ts";
import { checkWait, connectSocket, SOCKET_TYPES, unixSocket } from "./_unix_socket.ts";
import { setOption } from "./_socket_options.ts";
import { isAbstract } from "./_unix_address.ts";
import { type Authorize, checkPeer, sameUserOrRoot } from "./peer.ts";
import { UnixDatagram } from "./unix_datagram.ts";
import { UnixSeqpacket } from "./unix_seqpacket.ts";
import { checkUnixStream, UnixStream, type UnixStreamOptions } from "./unix_stream.ts";

/** How a connection is made. The time limit and the signal are for the connecting. */
export interface UnixConnectOptions extends UnixStreamOptions, WaitOptions {
  /**
   * Whose listener it may be. Unless told, anybody's at a path, for the mode of its directory says who can be there;
   * this user's and root's at an abstract name, which anybody can take first. Not for datagrams: the kernel does not
   * tell whose socket receives them, so at an abstract name anybody may get them.
   */
  authorize?: Authorize | undefined;
}

/** The address as the kernel wants it that binds a socket to a name of the kernel's own choice: only a family. */
const AUTOBIND = new Uint8Array(new Uint16Array([constants.AF_UNIX]).buffer);

/** Lets a connected datagram socket get answers: from nobody else, now that it is connected, and each tells its sender. */
function getName(fd: number): void {
  setOption(fd, constants.SOL_SOCKET, constants.SO_PASSCRED, 1, "the passing of credentials");
  libc.bind(fd, AUTOBIND, AUTOBIND.byteLength);
}

/** Connects to a listening unix socket, or to a bound datagram socket; `connect` for addresses as text. */
export async function connectUnix(
  address: UnixAddress,
  options: UnixConnectOptions = {},
): Promise<UnixStream | UnixSeqpacket | UnixDatagram> {
  const { type, path } = address;
  checkWait(options);
  if (type === "unix") checkUnixStream(options);
  else checkPacket(options);
  if (type === "unix-dgram" && options.authorize !== undefined) {
    throw new TypeError(
      `Cannot connect to "${path}" with authorize: the kernel does not tell whose socket receives datagrams`,
    );
  }
  using socket = unixSocket(SOCKET_TYPES[type], constants.SOCK_NONBLOCK);
  await connectSocket(socket.fd, address, options);
  if (type === "unix-dgram") getName(socket.fd);
  else {
    const authorize = options.authorize ?? (isAbstract(path) ? sameUserOrRoot : undefined);
    if (authorize !== undefined) checkPeer(socket.fd, authorize, path);
  }
  setNonblocking(socket.fd, false);
  switch (type) {
    case "unix":
      return new UnixStream(socket.take(), options);
    case "unix-seqpacket":
      return new UnixSeqpacket(socket.take(), options);
    case "unix-dgram":
      // Who answers is not known before, and no other than the one connected to gets through.
      return new UnixDatagram(socket.take(), options as PacketOptions, { remote: path });
  }
}
