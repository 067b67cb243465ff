import { constants } from "./_abi.ts";
import { checkPacket } from "./_packet_channel.ts";
import { setOption } from "./_socket_options.ts";
import { bindUnix, type UnixBindOptions } from "./_unix_bind.ts";
import { isAbstract } from "./_unix_address.ts";
import { unixSocket } from "./_unix_socket.ts";
import { sameUserOrRoot } from "./peer.ts";
import { UnixDatagram, type UnixDatagramOptions } from "./unix_datagram.ts";

/** How a datagram socket is bound. */
export interface UnixDatagramBindOptions extends UnixDatagramOptions, UnixBindOptions {
  /** Says that datagrams of this user and root are received, as is required at an abstract name, which anybody can reach. */
  sameUser?: true | undefined;
}

/**
 * Binds a datagram socket to a path or `@name`, to receive from whoever sends there.
 *
 * A path whose server is dead is taken over. System calls: `socket`, `fchmod`, `bind`, `open`, `fstat`, `chmod`.
 *
 * @throws {AlreadyExistsError} if the path or name is in use.
 * @throws {NotFoundError} if there is no such directory.
 * @throws {PermissionError} if nothing may be created in it.
 * @throws {RangeError} if the path has more than 107 bytes, or `mode` is not 0 to 0o777.
 * @throws {TypeError} if the name is abstract, and neither `authorize` nor `sameUser` is told.
 *
 * @example
 * ```ts
 * import { bindUnixDatagram } from "@ipc/socket";
 * import { assertEquals } from "@std/assert";
 *
 * const folder = await Deno.makeTempDir();
 * using here = await bindUnixDatagram(`${folder}/here`);
 * using there = await bindUnixDatagram(`${folder}/there`);
 * await here.send(new Uint8Array([1]), { to: `${folder}/there` });
 * assertEquals((await there.receiveMessage())?.from, `${folder}/here`);
 * ```
 */
export async function bindUnixDatagram(
  path: string,
  options: UnixDatagramBindOptions = {},
): Promise<UnixDatagram> {
  const { authorize = sameUserOrRoot, sameUser, signal } = options;
  signal?.throwIfAborted();
  checkPacket(options);
  if (isAbstract(path) && options.authorize === undefined && sameUser !== true) {
    throw new TypeError(
      `Cannot bind socket "${path}": anybody can send to an abstract name, say who may with authorize or sameUser`,
    );
  }
  using socket = unixSocket(constants.SOCK_DGRAM);
  // Before anybody can send: the kernel takes who sent earlier for nobody.
  setOption(socket.fd, constants.SOL_SOCKET, constants.SO_PASSCRED, 1, "the passing of credentials");
  const binding = await bindUnix(socket.fd, path, options);
  const { maxMessageSize, maxQueuedBytes, sendBufferSize, receiveBufferSize } = options;
  try {
    return new UnixDatagram(
      socket.take(),
      { maxMessageSize, maxQueuedBytes, sendBufferSize, receiveBufferSize, authorize },
      { onClose: () => binding.release() },
    );
  } catch (error) {
    binding.release();
    throw error;
  }
}
