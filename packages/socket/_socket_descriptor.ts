/** A descriptor of a connected stream socket. */

import { ERRNO, IpcError } from "@ipc/core";
import {
  abi,
  Descriptor,
  type DescriptorOptions,
  errno,
  failure,
  Memory,
  setNonblocking,
  sizeT,
} from "@ipc/core/sys";
import { constants, syscalls } from "./_abi.ts";
import { onAddress, onView } from "./_libc.ts";
import { sendMessage } from "./_send_message.ts";

const { MSG_DONTWAIT, MSG_NOSIGNAL } = constants;
const { recvfrom: RECVFROM, sendto: SENDTO } = syscalls;
/** EAGAIN of a call that may not wait. */
const NOTHING = -1;

/** How a {@linkcode SocketDescriptor} is taken over. */
export interface SocketDescriptorOptions extends DescriptorOptions {
  /**
   * Whether a connection that the peer reset has simply ended, once everything that came before was read. So it is
   * between processes of one machine, where nothing that was sent is lost on the way.
   */
  resetIsEnd?: boolean | undefined;
}

/**
 * A connected stream socket, both ways.
 *
 * Calls that may not wait say so for themselves, so that one direction can block the thread while the other is used
 * without: the mode of the open file description, which both share, does not matter to them. Only the runtime's reactor
 * needs it to be non-blocking while it waits, and a read that blocks takes that back: otherwise it would cost three
 * calls instead of one.
 */
export class SocketDescriptor extends Descriptor {
  readonly #resetIsEnd: boolean;
  /** Whether it was made blocking again after the runtime's reactor had waited. */
  #blocksAgain = false;
  /** Descriptors that go with the next bytes. */
  #attached: readonly number[] | undefined;

  /** Takes `fd` over. */
  constructor(fd: number, options: SocketDescriptorOptions = {}) {
    super(fd, options);
    this.#resetIsEnd = options.resetIsEnd ?? false;
  }

  /** Gives the next bytes that are written descriptors to take along, once; or takes that back. */
  attach(fds: readonly number[] | undefined): void {
    this.#attached = fds;
  }

  /** Reads what is there; -1: nothing now, 0: the end. System call: `recvfrom`. */
  override read(into: Memory): number {
    return this.#receive(into, MSG_DONTWAIT);
  }

  /** Reads, blocking this thread until something is there; 0: the end. */
  override readBlocking(into: Memory): number {
    while (true) {
      const count = this.#receive(into, 0);
      if (count !== NOTHING) return count;
      // The runtime's reactor made it non-blocking, and waits for nothing now.
      setNonblocking(this.fd, false);
      this.#blocksAgain = true;
    }
  }

  /** The runtime's reactor waits from now on; it makes the socket non-blocking only once, when it is made itself. */
  override becameNonblocking(): void {
    if (!this.#blocksAgain) return;
    this.#blocksAgain = false;
    setNonblocking(this.fd, true);
  }

  /** Writes what there is room for of the first `length` bytes; -1: there is none. System call: `sendto`. */
  override write(from: Memory, length: number = from.bytes.byteLength): number {
    return this.#send(from, length, MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  /** Writes the first `length` bytes, blocking this thread as long as it takes; an error is `partial` when some are gone. */
  override writeBlocking(from: Memory, length: number = from.bytes.byteLength): void {
    const count = this.#send(from, length, MSG_NOSIGNAL);
    if (count !== length) this.#writeRest(from.bytes.subarray(Math.max(count, 0), length), count > 0);
  }

  /** Goes on writing; `partial` tells whether some bytes are gone. */
  #writeRest(rest: Uint8Array, partial: boolean): void {
    try {
      while (rest.byteLength > 0) {
        // The runtime's reactor made it non-blocking.
        this.poll(abi.POLLOUT, undefined);
        const count = this.#send(new Memory(rest), rest.byteLength, MSG_NOSIGNAL);
        if (count <= 0) continue;
        partial = true;
        rest = rest.subarray(count);
      }
    } catch (error) {
      if (partial && error instanceof IpcError) error.partial = true;
      throw error;
    }
  }

  #receive({ bytes, address }: Memory, flags: number): number {
    const length = sizeT(bytes.byteLength);
    while (true) {
      const count = address === null
        ? onView.recvfrom(RECVFROM, this.fd, bytes as Uint8Array<ArrayBuffer>, length, flags, null)
        : onAddress.recvfrom(RECVFROM, this.fd, address, length, flags, null);
      if (count !== -1) return count;
      const code = errno();
      if (code === ERRNO.EAGAIN) return NOTHING;
      if (code === ERRNO.ECONNRESET && this.#resetIsEnd) return 0;
      if (code !== ERRNO.EINTR) throw failure(code, "recvfrom", this.#says("receive from"), this.target);
    }
  }

  #send({ bytes, address }: Memory, length: number, flags: number): number {
    if (this.#attached !== undefined) return this.#sendAttached(bytes.subarray(0, length), flags);
    const count = sizeT(length);
    while (true) {
      const sent = address === null
        ? onView.sendto(SENDTO, this.fd, bytes as Uint8Array<ArrayBuffer>, count, flags, null)
        : onAddress.sendto(SENDTO, this.fd, address, count, flags, null);
      if (sent !== -1) return sent;
      const code = errno();
      if (code === ERRNO.EAGAIN) return NOTHING;
      if (code !== ERRNO.EINTR) throw failure(code, "sendto", this.#says("send to"), this.target);
    }
  }

  #sendAttached(bytes: Uint8Array, flags: number): number {
    const sent = sendMessage(this.fd, bytes, this.#attached!, { flags });
    if (sent === -ERRNO.EAGAIN) return NOTHING;
    if (sent < 0) throw failure(-sent, "sendmsg", this.#says("send handles to"), this.target);
    this.#attached = undefined;
    return sent;
  }

  #says(what: string): string {
    return typeof this.target === "number" ? `${what} socket` : what;
  }
}
