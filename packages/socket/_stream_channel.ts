/** A channel over one connected stream socket. */

import {
  type Bytes,
  ClosedError,
  type Framing,
  framing as framingByName,
  type FramingName,
  type WaitOptions,
} from "@ipc/core";
import { BaseSender, BaseSyncChannel, type Source } from "@ipc/core/base";
import { abi, ByteSink, ByteSource, check } from "@ipc/core/sys";
import { constants } from "./_abi.ts";
import { type ByteBudget, decoderOf } from "./_byte_budget.ts";
import { Attachment } from "./_attachment.ts";
import type { Handle } from "./handle.ts";
import { libc } from "./_libc.ts";
import { patient } from "./_patient_source.ts";
import type { SocketDescriptor } from "./_socket_descriptor.ts";

/** How messages travel over a stream socket. */
export interface StreamOptions {
  /**
   * How messages are marked in the stream of bytes; a length of four bytes before each unless told. `"lines"`,
   * `"nul"`, `"content-length"` and `"raw"` are for programs that do not know it.
   */
  framing?: Framing | FramingName | undefined;
  /** The longest message in bytes, 16 MiB unless told; not beside a framing object, which has its own limit. */
  maxMessageSize?: number | undefined;
  /** The most bytes that wait to be sent before `send` throws a `LimitError`; 16 MiB unless told. */
  maxQueuedBytes?: number | undefined;
  /**
   * Milliseconds that a peer may take from the first byte of a message to its last while a receive waits for it,
   * before that throws a `TimeoutError` and the channel has ended; for ever unless told.
   */
  idleTimeout?: number | undefined;
  /**
   * Milliseconds that a peer may say nothing between two messages, or before the first, while a receive waits for it,
   * before that throws a `TimeoutError` and the channel has ended; for ever unless told.
   */
  silenceTimeout?: number | undefined;
}

/** What a kind of stream socket adds to its {@linkcode StreamChannel}. */
export interface StreamHooks {
  /** Called once when this end has told the peer that nothing will follow. */
  onEnd?: (() => void) | undefined;
  /** Called once when the channel is closed. */
  onClose?: (() => void) | undefined;
  /** Asked when a read gives nothing: whether that is the end; what it throws reaches one receive. */
  isEnd?: (() => boolean) | undefined;
  /** Whether the runtime's reactor may read: not where descriptors arrive, which it would drop. */
  reactor?: (() => boolean) | undefined;
  /** Puts something around where messages come from; `buffered` tells how many bytes of those read are left there. */
  wrap?: ((source: Source<Bytes>, buffered: () => number) => Source<Bytes>) | undefined;
  /** What all connections of one listener may hold together. */
  budget?: ByteBudget | undefined;
}

/** A sink whose end leaves the other direction open, and whose messages may have an {@linkcode Attachment}. */
class StreamSink extends ByteSink {
  readonly #descriptor: SocketDescriptor;
  /** Whether an empty message is nothing at all. */
  readonly #bare: boolean;
  readonly #onEnd: (() => void) | undefined;

  constructor(descriptor: SocketDescriptor, framing: Framing, onEnd: (() => void) | undefined) {
    super(descriptor, framing);
    this.#descriptor = descriptor;
    this.#bare = framing.maxPrefix === 0 && framing.suffix.byteLength === 0;
    this.#onEnd = onEnd;
  }

  override put(message: Uint8Array, meta?: unknown): boolean {
    if (meta === undefined) return super.put(message);
    return this.#attached(message, meta as Attachment, () => super.put(message));
  }

  override putSync(message: Uint8Array, meta?: unknown): void {
    if (meta === undefined) super.putSync(message);
    else this.#attached(message, meta as Attachment, () => super.putSync(message));
  }

  /** Tells the peer that nothing will follow. */
  override end(): void {
    shutdownSending(this.#descriptor.fd);
    this.#onEnd?.();
  }

  /** The descriptor is the receiving half's, which closes it last: a wait of that half may still be on it. */
  override close(): void {}

  #attached<T>(message: Uint8Array, handles: Attachment, put: () => T): T {
    if (this.#bare && message.byteLength === 0) {
      throw new TypeError("Cannot send handles without a byte to go with: this framing adds none");
    }
    this.#descriptor.attach(handles.fds());
    try {
      return put();
    } finally {
      // Where nothing left they come with the next attempt.
      this.#descriptor.attach(undefined);
    }
  }
}

/** A sender whose messages may have handles with them. */
class StreamSender extends BaseSender {
  sendHandles(message: Uint8Array, handles: Attachment, options: WaitOptions | undefined): Promise<void> {
    return this.sendWith(message, options, handles);
  }
}

/**
 * A channel over a connected stream socket; it owns the descriptor until it is closed.
 *
 * Each kind of stream socket has a class of its own, which is one of these.
 */
export abstract class StreamChannel extends BaseSyncChannel {
  readonly #descriptor: SocketDescriptor;
  readonly #source: ByteSource;
  readonly #sender: StreamSender;
  readonly #release: () => void;
  readonly #onClose: (() => void) | undefined;

  /** Takes the connected socket over, and closes it if that fails. */
  constructor(descriptor: SocketDescriptor, options: StreamOptions = {}, hooks: StreamHooks = {}) {
    const { maxQueuedBytes } = options;
    const { isEnd, reactor, onEnd, onClose, budget, wrap = (source) => source } = hooks;
    let bytes: ByteSource;
    let release = () => {};
    let sender: StreamSender;
    try {
      const framing = checkStream(options);
      const decoder = decoderOf(framing, budget, () => libc.shutdown(descriptor.fd, constants.SHUT_RD));
      release = () => decoder.release?.();
      bytes = new ByteSource(descriptor, decoder, { isEnd, reactor });
      sender = new StreamSender(new StreamSink(descriptor, framing, onEnd), { maxQueuedBytes });
    } catch (error) {
      descriptor.close();
      throw error;
    }
    super(wrap(patient(bytes, options), () => bytes.buffered), sender);
    this.#descriptor = descriptor;
    this.#source = bytes;
    this.#sender = sender;
    this.#release = release;
    this.#onClose = onClose;
  }

  /** The descriptor's number, for passing on; it stays owned here. */
  get fd(): number {
    return this.#descriptor.fd;
  }

  /** Bytes that were read from the kernel and belong to no message yet. */
  get buffered(): number {
    return this.#source.buffered;
  }

  /**
   * Bytes in the kernel that were not read yet (FIONREAD).
   *
   * @throws {ClosedError} if the channel is closed.
   */
  get available(): number {
    this.checkOpen();
    const count = new Int32Array(1);
    check(libc.ioctl(this.fd, BigInt(abi.FIONREAD), count), "ioctl", "count the bytes in socket", this.fd);
    return count[0]!;
  }

  /**
   * Looks at the next message and leaves it; `undefined`: there is none now that is whole. It has left the kernel, so
   * that it stays behind where the socket is passed on.
   *
   * @throws {ClosedError} if the channel is closed.
   * @throws {IpcError} with code `EBUSY` while an asynchronous receive is pending.
   */
  peek(): Bytes | undefined {
    return this.peekNext()?.slice();
  }

  /** Sends a message with handles, in its turn. */
  protected sendAttached(
    message: Uint8Array,
    handles: readonly Handle[],
    options?: WaitOptions,
  ): Promise<void> {
    try {
      return this.#sender.sendHandles(message, new Attachment(handles), options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Throws if the channel is closed: the number of its descriptor may be somebody else's by now. */
  protected checkOpen(): void {
    if (this.closed) throw new ClosedError("Cannot use the socket: the channel is closed");
  }

  /** Closes at once: pending receives give `undefined`, pending sends reject. Calling it again does nothing. */
  override close(): void {
    if (this.closed) return;
    try {
      super.close();
    } finally {
      this.#release();
      this.#onClose?.();
    }
  }
}

/** Ends the sending direction of a socket; that the peer has gone already is no error. */
export function shutdownSending(fd: number): void {
  // ENOTCONN: there is nobody who could be told.
  libc.shutdown(fd, constants.SHUT_WR);
}

/** The framing that the options ask for; throws unless all of them can be used. */
export function checkStream(
  { framing, maxMessageSize, maxQueuedBytes, ...patience }: StreamOptions,
): Framing {
  for (const name of ["idleTimeout", "silenceTimeout"] as const) {
    const time = patience[name];
    if (time === undefined || time > 0) continue;
    throw new RangeError(`Cannot use ${time} as ${name}: it is a number of milliseconds above 0`);
  }
  if (maxQueuedBytes !== undefined && !(maxQueuedBytes >= 0)) {
    throw new RangeError(`Cannot queue up to ${maxQueuedBytes} bytes: maxQueuedBytes is a number from 0`);
  }
  if (typeof framing !== "object") return framingByName(framing ?? "length", { maxMessageSize });
  if (maxMessageSize === undefined) return framing;
  throw new TypeError("Cannot open socket: a framing has a limit of its own, give one or the other");
}
