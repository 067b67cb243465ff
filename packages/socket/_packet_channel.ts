/** A channel over one socket that keeps the boundaries of messages. */

import { type Bytes, ClosedError, type SyncOptions, type WaitOptions } from "@ipc/core";
import { BaseSyncChannel } from "@ipc/core/base";
import { Descriptor, type OwnedFd } from "@ipc/core/sys";
import { constants } from "./_abi.ts";
import { Attachment } from "./_attachment.ts";
import type { Handle } from "./handle.ts";
import { type Destination, type PacketOrigin, PacketSink, PacketSource, Parcel } from "./_packet_ends.ts";
import { PacketLines, PacketSender } from "./_packet_lines.ts";
import { type BufferOptions, checkBuffers, getOption, setBuffers, setOption } from "./_socket_options.ts";

const { SOL_SOCKET, SO_PASSCRED, SO_SNDBUF } = constants;
/** What the kernel keeps of SO_SNDBUF for itself, by unix_dgram_sendmsg of net/unix/af_unix.c. */
const KEPT = 32;

/** How messages travel over a socket that keeps their boundaries. */
export interface PacketOptions extends BufferOptions {
  /**
   * The longest message in bytes, sent and received; where the send buffer is smaller, that is the limit for sending.
   * Unless told, what the send buffer takes, 212,960 bytes as a rule, and 1 MiB for what is received.
   */
  maxMessageSize?: number | undefined;
  /** The most bytes that wait to be sent before `send` throws a `LimitError`; 16 MiB unless told. */
  maxQueuedBytes?: number | undefined;
}

/** What a kind of socket adds to its {@linkcode PacketChannel}. */
export interface PacketHooks<M> {
  /** Whether the peer is one and the same for good, and there is an end. */
  connected: boolean;
  /** What errors call the socket: a path or a name; otherwise its number. */
  target?: string | undefined;
  /** Called once when the channel is closed, before its descriptor is. */
  onClose?: (() => void) | undefined;
  /** Whether a message of this origin is received; otherwise it is dropped. */
  admit?: ((origin: PacketOrigin) => boolean) | undefined;
  /** What is told of a message besides its bytes. */
  describe: (data: Bytes, origin: PacketOrigin) => M;
}

/** A channel over a socket that keeps the boundaries of messages; it owns the descriptor until it is closed. */
export abstract class PacketChannel<M extends { data: Bytes }> extends BaseSyncChannel {
  readonly #descriptor: Descriptor;
  readonly #source: PacketSource<M>;
  readonly #sender: PacketSender;
  readonly #lines: PacketLines;

  /** Takes the socket over, and closes it if that fails. */
  constructor(fd: number, options: PacketOptions, hooks: PacketHooks<M>) {
    const { connected, admit, describe, target, onClose } = hooks;
    const descriptor = new Descriptor(fd, { target });
    let source: PacketSource<M>;
    let sender: PacketSender;
    let lines: PacketLines;
    try {
      checkPacket(options);
      setBuffers(fd, options);
      // It also tells an empty message, which has a sender, from the end, which has none.
      setOption(fd, SOL_SOCKET, SO_PASSCRED, 1, "the passing of credentials");
      const taken = getOption(fd, SOL_SOCKET, SO_SNDBUF, "the send buffer") - KEPT;
      const maxMessageSize = Math.min(options.maxMessageSize ?? taken, taken);
      source = new PacketSource(descriptor, {
        connected,
        admit,
        describe,
        onClose,
        maxMessageSize: options.maxMessageSize,
      });
      const newSink = () => new PacketSink(descriptor, { connected, maxMessageSize });
      sender = new PacketSender(newSink(), options);
      lines = new PacketLines(newSink, options.maxQueuedBytes);
    } catch (error) {
      descriptor.close();
      throw error;
    }
    super(source, sender);
    this.#descriptor = descriptor;
    this.#source = source;
    this.#sender = sender;
    this.#lines = lines;
  }

  /** The descriptor's number, for passing on; it stays owned here. */
  get fd(): number {
    return this.#descriptor.fd;
  }

  /** Waits until the kernel has what was sent, and sends no more; a connected peer is told (SHUT_WR). */
  override async end(): Promise<void> {
    await Promise.all([this.#lines.end(), super.end()]);
  }

  /** Closes at once: pending receives give `undefined`, pending sends reject. Calling it again does nothing. */
  override close(): void {
    if (this.closed) return;
    try {
      this.#lines.close();
    } finally {
      super.close();
    }
  }

  /** Waits until the kernel has what was sent, and closes. */
  override async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (!this.closed) await this.#lines.end();
    } finally {
      await super[Symbol.asyncDispose]();
    }
  }

  /** Takes a message with what is told of it, without waiting; `undefined`: there is none. */
  protected takeMessage(): M | undefined {
    return this.#source.takeMessage();
  }

  /** The same with the descriptors that came with it. */
  protected takeMessageWithHandles(): (M & { handles: OwnedFd[] }) | undefined {
    return this.#source.takeWithHandles();
  }

  /** Looks at the next message and leaves it; `undefined`: there is none now. */
  protected peekMessage(): M | undefined {
    this.checkOpen();
    return this.#source.peek();
  }

  /** How many messages were dropped because of where they came from. */
  protected get dropped(): number {
    return this.#source.dropped;
  }

  /** Sends to an address, or to the peer. */
  protected sendTo(message: Uint8Array, to: Destination | undefined, options?: WaitOptions): Promise<void> {
    return this.#line(to).sendTo(message, to, options);
  }

  /** {@linkcode PacketChannel.sendTo} with handles. */
  protected sendParcel(
    message: Uint8Array,
    handles: readonly Handle[],
    options?: WaitOptions,
    to?: Destination,
  ): Promise<void> {
    try {
      return this.#line(to).sendTo(message, new Parcel(new Attachment(handles), to), options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** {@linkcode PacketChannel.sendTo} without waiting. */
  protected trySendTo(message: Uint8Array, to: Destination | undefined): boolean {
    return this.#line(to).trySendTo(message, to);
  }

  /** {@linkcode PacketChannel.sendTo}, blocking this thread. */
  protected sendSyncTo(message: Uint8Array, to: Destination | undefined, options?: SyncOptions): void {
    this.#line(to).sendSyncTo(message, to, options);
  }

  #line(to: Destination | undefined): PacketSender {
    return to === undefined ? this.#sender : this.#lines.of(to);
  }

  /** Throws if the channel is closed: the number of its descriptor may be somebody else's by now. */
  protected checkOpen(): void {
    if (this.closed) throw new ClosedError("Cannot use the socket: the channel is closed");
  }
}

/** Throws unless the options can be used. */
export function checkPacket(options: PacketOptions): void {
  checkBuffers(options);
  const { maxMessageSize, maxQueuedBytes } = options;
  if (maxMessageSize !== undefined && !(Number.isInteger(maxMessageSize) && maxMessageSize >= 1)) {
    throw new RangeError(`Cannot use ${maxMessageSize} as maxMessageSize: it is an integer from 1`);
  }
  if (maxQueuedBytes !== undefined && !(maxQueuedBytes >= 0)) {
    throw new RangeError(`Cannot queue up to ${maxQueuedBytes} bytes: maxQueuedBytes is a number from 0`);
  }
}
