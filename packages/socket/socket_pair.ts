import { check, OwnedFd } from "@ipc/core/sys";
import { constants } from "./_abi.ts";
import { libc } from "./_libc.ts";
import type { PacketOptions } from "./_packet_channel.ts";
import { SOCKET_TYPES } from "./_unix_socket.ts";
import { UnixDatagram } from "./unix_datagram.ts";
import { UnixSeqpacket } from "./unix_seqpacket.ts";
import { UnixStream, type UnixStreamOptions } from "./unix_stream.ts";

/** The kinds of socket that a pair can be of. */
export type SocketPairType = "stream" | "seqpacket" | "datagram";

/**
 * Makes two sockets that are connected to each other, both in this process and close-on-exec.
 *
 * For a channel between threads, and to give one of the two to a child. Both ends tell this process as their peer.
 * System call: `socketpair`.
 *
 * @throws {LimitError} if descriptors are used up.
 * @throws {TypeError} if there is no such kind of socket.
 *
 * @example
 * ```ts
 * import { socketPair } from "@ipc/socket";
 * import { assertEquals } from "@std/assert";
 *
 * const [here, there] = socketPair("seqpacket");
 * await using _ = here, __ = there;
 * here.sendSync(new Uint8Array([1]));
 * assertEquals(there.receiveSync(), new Uint8Array([1]));
 * ```
 */
export function socketPair(type: "stream", options?: UnixStreamOptions): [UnixStream, UnixStream];
/** Makes two connected sockets of whole messages. */
export function socketPair(type: "seqpacket", options?: PacketOptions): [UnixSeqpacket, UnixSeqpacket];
/** Makes two connected sockets of datagrams. */
export function socketPair(type: "datagram", options?: PacketOptions): [UnixDatagram, UnixDatagram];
/** Makes two connected sockets. */
export function socketPair(
  type: SocketPairType,
  options: UnixStreamOptions & PacketOptions = {},
): [UnixStream | UnixSeqpacket | UnixDatagram, UnixStream | UnixSeqpacket | UnixDatagram] {
  const make = MAKERS.get(type);
  if (make === undefined) {
    throw new TypeError(`Cannot create a pair of "${type}": it is "stream", "seqpacket" or "datagram"`);
  }
  const [socketType, open] = make;
  const fds = new Int32Array(2);
  check(
    libc.socketpair(constants.AF_UNIX, socketType | constants.SOCK_CLOEXEC, 0, fds),
    "socketpair",
    "create a pair of sockets",
  );
  using second = new OwnedFd(fds[1]!);
  const first = open(fds[0]!, options);
  try {
    return [first, open(second.take(), options)];
  } catch (error) {
    first.close();
    throw error;
  }
}

type Open = (
  fd: number,
  options: UnixStreamOptions & PacketOptions,
) => UnixStream | UnixSeqpacket | UnixDatagram;

const MAKERS: ReadonlyMap<string, readonly [number, Open]> = new Map<string, readonly [number, Open]>([
  ["stream", [SOCKET_TYPES["unix"], (fd, options) => new UnixStream(fd, options)]],
  ["seqpacket", [SOCKET_TYPES["unix-seqpacket"], (fd, options) => new UnixSeqpacket(fd, options)]],
  ["datagram", [
    SOCKET_TYPES["unix-dgram"],
    (fd, options) => new UnixDatagram(fd, options),
  ]],
]);
