import type { Bytes, WaitOptions } from "@ipc/core";
import type { OwnedFd } from "@ipc/core/sys";
import type { Handle } from "./handle.ts";
import { HandleDescriptor } from "./_handle_descriptor.ts";
import { HandleSource, type MessageWithHandles } from "./_handle_source.ts";
import { libc } from "./_libc.ts";
import { SocketDescriptor } from "./_socket_descriptor.ts";
import { type BufferOptions, checkBuffers, setBuffers } from "./_socket_options.ts";
import { checkStream, StreamChannel, type StreamHooks, type StreamOptions } from "./_stream_channel.ts";
import { type Peer, peerOf, pidfdOf } from "./peer.ts";

/** How messages travel over a unix stream socket. */
export interface UnixStreamOptions extends StreamOptions, BufferOptions {
  /**
   * Lets handles arrive, for `receiveWithHandles`; unless told they are dropped. A stream that does waits by epoll,
   * which takes twice as long as the runtime's reactor. Other kinds of unix sockets need no such option.
   */
  receiveHandles?: boolean | undefined;
}

/**
 * A connection between two processes of this machine: messages, framed in a stream of bytes, both ways.
 *
 * It owns a descriptor until it is closed. It knows who is at the other end. Prefer it where the other end is a
 * program that knows nothing but a stream; between programs of one's own {@linkcode UnixSeqpacket} leaves the framing
 * to the kernel. A channel that is closed while messages of the peer lie unread does not cost the peer what was sent
 * before: everything that `send` gave to the kernel can be received.
 *
 * System calls: `recvfrom`, `sendto`, `shutdown`, `getsockopt`, `fcntl`, `poll`, the runtime's reactor, and `epoll_wait`
 * while there is no room.
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
  readonly #handles: HandleSource | undefined;

  /** Takes over the descriptor of a connection, and closes it if that fails. Most programs use `connect` or `listen`. */
  constructor(fd: number, options: UnixStreamOptions = {}, hooks: StreamHooks = {}) {
    try {
      checkBuffers(options);
      setBuffers(fd, options);
    } catch (error) {
      libc.close(fd);
      throw error;
    }
    const descriptor = options.receiveHandles
      ? new HandleDescriptor(fd)
      : new SocketDescriptor(fd, { resetIsEnd: true });
    let handles: HandleSource | undefined;
    super(descriptor, options, {
      ...hooks,
      ...(descriptor instanceof HandleDescriptor && {
        // It would drop them.
        reactor: () => false,
        wrap: (source, buffered) => handles = new HandleSource(source, descriptor, buffered),
      }),
    });
    this.#handles = handles;
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
   * const [here, there] = socketPair("stream", { receiveHandles: true });
   * await using _ = here, __ = there;
   * using file = await Deno.open(new URL(import.meta.url).pathname);
   * await here.sendHandles(new Uint8Array([1]), [file]);
   * const { data, handles } = (await there.receiveWithHandles())!;
   * using handle = handles[0]!;
   * assertEquals([data.length, stat(handle.fd).type], [1, "file"]);
   * ```
   */
  sendHandles(message: Uint8Array, handles: readonly Handle[], options?: WaitOptions): Promise<void> {
    return this.sendAttached(message, handles, options);
  }

  /**
   * Receives one message with the handles that came with it, close-on-exec; `undefined`: the end. Whoever
   * calls it owns them, and has to close each. `receive` closes them.
   * They belong to the message whose bytes they came with, and where a foreign program has sent several with one call to
   * the last of those.
   *
   * System call: `recvmsg`.
   *
   * @throws {LimitError} if this process had no room for all of them, or they were more than 253: those that came were
   * closed, and the message is dropped.
   * @throws {TimeoutError} if none came within `timeout`.
   * @throws {ClosedError} if the channel is closed already.
   * @throws {TypeError} if it was not opened with `receiveHandles`.
   */
  receiveWithHandles(options?: WaitOptions): Promise<MessageWithHandles | undefined> {
    const source = this.#handles;
    if (source !== undefined) return this.receiveWith(() => source.takeWithHandles(), options);
    return Promise.reject(
      new TypeError("Cannot receive handles: the stream was opened without receiveHandles, and drops them"),
    );
  }

  /**
   * Looks at the next message and leaves it, with the handles that came with it; `undefined`: there is none now that is
   * whole. It has left the kernel, so that it stays behind where the socket is passed on.
   *
   * @throws {ClosedError} if the channel is closed.
   * @throws {IpcError} with code `EBUSY` while an asynchronous receive is pending.
   */
  override peek(): Bytes | undefined {
    return this.tryReceiveWith(() =>
      this.#handles === undefined ? super.peek() : this.#handles.peek()?.slice()
    );
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
