import type { Bytes, WaitOptions } from "@ipc/core";
import type { OwnedFd } from "@ipc/core/sys";
import type { Handle } from "./handle.ts";
import type { MessageWithHandles } from "./_handle_source.ts";
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
   * Sends one message with handles: open files, sockets, memory, which the receiver gets descriptors of, whatever its
   * rights to open them. They stay the sender's too, and open until the promise settles. System call: `sendmsg`.
   *
   * @throws {RangeError} if there are none, or more than 253.
   * @throws {TypeError} if one of them is no handle.
   * @throws {ClosedError} if one of them is closed, or this channel.
   * @throws {IpcError} with code `EBADF` if a number is no open descriptor; with `ETOOMANYREFS` if this user has too
   * many under way that nobody has received.
   * @throws {TimeoutError} if there was no room within `timeout`.
   * @throws {BrokenPipeError} if nobody can receive it any more.
   *
   * @example
   * ```ts
   * import { socketPair } from "@ipc/socket";
   * import { stat } from "@ipc/core/sys";
   * import { assertEquals } from "@std/assert";
   *
   * const [here, there] = socketPair("seqpacket");
   * await using _ = here, __ = there;
   * using file = await Deno.open(new URL(import.meta.url).pathname);
   * await here.sendHandles(new Uint8Array([1]), [file]);
   * const { data, handles } = (await there.receiveWithHandles())!;
   * using handle = handles[0]!;
   * assertEquals([data.length, stat(handle.fd).type], [1, "file"]);
   * ```
   */
  sendHandles(message: Uint8Array, handles: readonly Handle[], options?: WaitOptions): Promise<void> {
    return this.sendParcel(message, handles, options);
  }

  /**
   * Receives one message with the handles that came with it, close-on-exec; `undefined`: the end. Whoever
   * calls it owns them, and has to close each. `receive` closes them.
   *
   * System call: `recvmsg`.
   *
   * @throws {LimitError} if this process had no room for all of them: those that came were
   * closed, and the message is dropped.
   * @throws {TimeoutError} if none came within `timeout`.
   * @throws {ClosedError} if the channel is closed already.
   */
  receiveWithHandles(options?: WaitOptions): Promise<MessageWithHandles | undefined> {
    return this.receiveWith(() => this.takeMessageWithHandles(), options);
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
