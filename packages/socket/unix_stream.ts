import type { OwnedFd } from "@ipc/core/sys";
import { libc } from "./_libc.ts";
import { SocketDescriptor } from "./_socket_descriptor.ts";
import { type BufferOptions, checkBuffers, setBuffers } from "./_socket_options.ts";
import { checkStream, StreamChannel, type StreamHooks, type StreamOptions } from "./_stream_channel.ts";
import { type Peer, peerOf, pidfdOf } from "./peer.ts";

/** How messages travel over a unix stream socket. */
export interface UnixStreamOptions extends StreamOptions, BufferOptions {}

/**
 * A connection between two processes of this machine: messages, framed in a stream of bytes, both ways.
 *
 * It owns a descriptor until it is closed. It knows who is at the other end. Prefer it where the other end is a
 * program that knows nothing but a stream; between programs of one's own {@linkcode UnixSeqpacket} leaves the framing
 * to the kernel. A channel that is closed while messages of the peer lie unread does not cost the peer what was sent
 * before: everything that `send` gave to the kernel can be received.
 *
 * System calls: `recvfrom`, `sendto`, `shutdown`, `getsockopt`, `poll`, the runtime's reactor, and `epoll_wait` while
 * there is no room.
 *
 * @example
 * ```ts
 * import { socketPair } from "@ipc/socket";
 * import { assertEquals } from "@std/assert";
 *
 * const [here, there] = socketPair("stream");
 * await using _ = here, __ = there;
 * await here.send(new Uint8Array([1, 2]));
 * assertEquals(await there.receive(), new Uint8Array([1, 2]));
 * assertEquals(there.peer().pid, Deno.pid);
 * ```
 */
export class UnixStream extends StreamChannel {
  /** Takes over the descriptor of a connection, and closes it if that fails. Most programs use `connect` or `listen`. */
  constructor(fd: number, options: UnixStreamOptions = {}, hooks: StreamHooks = {}) {
    try {
      checkBuffers(options);
      setBuffers(fd, options);
    } catch (error) {
      libc.close(fd);
      throw error;
    }
    super(new SocketDescriptor(fd, { resetIsEnd: true }), options, hooks);
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

/** Throws unless the options can be used. */
export function checkUnixStream(options: UnixStreamOptions): void {
  checkStream(options);
  checkBuffers(options);
}
