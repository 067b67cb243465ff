import type { Bytes } from "@ipc/core";
import type { OwnedFd } from "@ipc/core/sys";
import { PacketChannel, type PacketOptions } from "./_packet_channel.ts";
import { type Peer, peerOf, pidfdOf } from "./peer.ts";

/**
 * A connection between two processes of this machine whose messages the kernel keeps apart, both ways.
 *
 * It owns a descriptor until it is closed. It knows who is at the other end, needs no framing, and a message arrives
 * whole or not at all, an empty one too. A message has at most what the send buffer takes, 212,960 bytes as a rule;
 * for longer ones, and for many short ones, {@linkcode UnixStream} is the faster way.
 *
 * System calls: `recvmsg`, `sendto`, `shutdown`, `getsockopt`, `setsockopt`, `poll`, and `epoll_wait` where it waits.
 *
 * @example
 * ```ts
 * import { socketPair } from "@ipc/socket";
 * import { assertEquals } from "@std/assert";
 *
 * const [here, there] = socketPair("seqpacket");
 * await using _ = here, __ = there;
 * await here.sendBatch([new Uint8Array([1, 2]), new Uint8Array(0)]);
 * await here.end();
 * assertEquals(await there.receive(), new Uint8Array([1, 2]));
 * assertEquals(await there.receive(), new Uint8Array(0));
 * assertEquals(await there.receive(), undefined);
 * ```
 */
export class UnixSeqpacket extends PacketChannel<{ data: Bytes }> {
  /** Takes over the descriptor of a connection, and closes it if that fails. Most programs use `connect` or `listen`. */
  constructor(fd: number, options: PacketOptions = {}, hooks: { onClose?: (() => void) | undefined } = {}) {
    super(fd, options, {
      connected: true,
      onClose: hooks.onClose,
      describe: (data) => ({ data }),
    });
  }

  /**
   * Looks at the next message and leaves it; `undefined`: there is none now. System call: `recvmsg` with MSG_PEEK.
   *
   * @throws {ClosedError} if the channel is closed.
   */
  peek(): Bytes | undefined {
    return this.peekMessage()?.data;
  }

  /**
   * Who is at the other end: who connected, or who listened, as it was at that moment.
   *
   * System calls: `getsockopt`, `readlink`, `poll`.
   *
   * @throws {ClosedError} if the channel is closed.
   */
  peer(): Peer {
    this.checkOpen();
    return peerOf(this.fd);
  }

  /**
   * A descriptor of the process at the other end, which nobody who gets its number later can take over; the caller
   * owns it. `undefined` where the kernel is older than 6.5, or the process is gone for good.
   *
   * System call: `getsockopt` with SO_PEERPIDFD.
   *
   * @throws {ClosedError} if the channel is closed.
   */
  peerPidfd(): OwnedFd | undefined {
    this.checkOpen();
    return pidfdOf(this.fd);
  }
}
