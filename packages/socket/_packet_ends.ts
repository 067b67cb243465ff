/** Messages whose boundaries the kernel keeps: in and out, without waiting. */

import {
  BrokenPipeError,
  type Bytes,
  ERRNO,
  errnoError,
  type IpcError,
  MessageTooLongError,
} from "@ipc/core";
import type { Sink, Source } from "@ipc/core/base";
import { abi, type Descriptor, errno, failure, lookAgain, type OwnedFd, sizeT, waitFor } from "@ipc/core/sys";
import { constants, syscalls } from "./_abi.ts";
import { libc, onView } from "./_libc.ts";
import { closeAll } from "./_control_message.ts";
import type { Attachment } from "./_attachment.ts";
import { handlesCut } from "./_handle_descriptor.ts";
import { Handout } from "./_handout.ts";
import { bareBuffer, handleBuffer, type MessageBuffer, messageBuffer } from "./_message_buffer.ts";
import { sendMessage } from "./_send_message.ts";
import type { Credentials } from "./peer.ts";

const { MSG_DONTWAIT, MSG_NOSIGNAL, MSG_PEEK } = constants;
const { sendto: SENDTO } = syscalls;
/** Room for a message of whatever size a peer has made its buffer, short of what only root can ask for. */
const ROOM = 1024 * 1024;
/** The most messages of one batch: a fast sender must not keep a receiver for ever. */
const MOST_AT_ONCE = 1024;
/** So many are dropped before others get a turn: whoever sends all the time must not keep the process busy. */
const MOST_DROPPED = 64;

/** Where a message came from, as far as the kernel tells. */
export interface PacketOrigin {
  /** The path or `@name` of the sender; `undefined` where it has none. */
  readonly from: string | undefined;
  /** Who sent it. */
  readonly credentials: Credentials | undefined;
}

/** How a {@linkcode PacketSource} receives. */
export interface PacketSourceOptions<M> {
  /** The longest message in bytes; a longer one is dropped, and one receive throws. */
  maxMessageSize?: number | undefined;
  /** Whether there is an end, which the kernel tells as a message of nothing without credentials. */
  connected: boolean;
  /** Whether a message of this origin is received; otherwise it is dropped. */
  admit?: ((origin: PacketOrigin) => boolean) | undefined;
  /** What is told of a message besides its bytes. */
  describe: (data: Bytes, origin: PacketOrigin) => M;
  /** Called before the descriptor is closed. */
  onClose?: (() => void) | undefined;
}

/** A {@linkcode Source} over recvmsg(2); it owns the descriptor. */
export class PacketSource<M extends { data: Bytes }> implements Source<Bytes> {
  readonly #descriptor: Descriptor;
  readonly #options: PacketSourceOptions<M>;
  readonly #room: number;
  readonly #handout = new Handout();
  #ended = false;
  #dropped = 0;
  /** What came behind messages of a batch; it is told next. */
  #failure: { error: unknown } | undefined;

  /** Takes the descriptor over. */
  constructor(descriptor: Descriptor, options: PacketSourceOptions<M>) {
    this.#descriptor = descriptor;
    this.#options = options;
    this.#room = Math.max(ROOM, options.maxMessageSize ?? 0);
  }

  get ended(): boolean {
    return this.#ended && this.#failure === undefined;
  }

  /** How many messages `admit` did not let in. */
  get dropped(): number {
    return this.#dropped;
  }

  take(): Bytes | undefined {
    return this.#take(MSG_DONTWAIT, this.#plainBuffer());
  }

  takeMany(max: number = MOST_AT_ONCE): Bytes[] | undefined {
    this.#throwFailure();
    const batch: Bytes[] = [];
    while (batch.length < max) {
      let message: Bytes | undefined;
      try {
        message = this.take();
      } catch (error) {
        // What was taken is not lost; a lasting reason is told next time, and that a message was dropped too.
        if (batch.length === 0) throw error;
        if (error instanceof MessageTooLongError) this.#failure = { error };
      }
      if (message === undefined) break;
      batch.push(message);
    }
    return batch.length > 0 ? batch : undefined;
  }

  takeSync(): Bytes | undefined {
    while (true) {
      const message = this.#take(0, this.#plainBuffer());
      if (message !== undefined || this.#ended) return message;
      this.block(undefined);
    }
  }

  /** Takes a message with what the kernel tells of it; `undefined`: nothing now, or the end. */
  takeMessage(): M | undefined {
    const buffer = messageBuffer(this.#room);
    const data = this.#take(MSG_DONTWAIT, buffer);
    return data && this.#options.describe(data, buffer);
  }

  /** Takes a message with the descriptors that came with it. */
  takeWithHandles(): (M & { handles: OwnedFd[] }) | undefined {
    const handles: OwnedFd[] = [];
    try {
      const buffer = handleBuffer(this.#room);
      const data = this.#take(MSG_DONTWAIT, buffer, handles);
      if (data === undefined) return undefined;
      if (buffer.cut) throw handlesCut();
      return { ...this.#options.describe(data, buffer), handles };
    } catch (error) {
      closeAll(handles);
      throw error;
    }
  }

  /** Looks at the next message and leaves it; `undefined`: there is none now. */
  peek(): M | undefined {
    while (!this.#ended) {
      const buffer = messageBuffer(this.#room);
      const length = this.#receive(buffer, MSG_DONTWAIT | MSG_PEEK);
      if (length === undefined || this.#isEnd(length, buffer)) return undefined;
      // It is cut where there is no room for it.
      if (this.#admits(buffer)) return this.#options.describe(buffer.data.slice(0, length), buffer);
      if (this.#receive(buffer, MSG_DONTWAIT) !== undefined) this.#dropped++;
    }
    return undefined;
  }

  ready(): boolean {
    return this.#ended || this.#failure !== undefined || this.#descriptor.poll(abi.POLLIN, 0) !== 0;
  }

  park(wake: () => void): () => void {
    return waitFor(this.#descriptor.fd, "readable", wake);
  }

  block(timeout: number | undefined): void {
    this.#descriptor.poll(abi.POLLIN, timeout);
  }

  close(): void {
    try {
      this.#options.onClose?.();
    } finally {
      this.#descriptor.close();
    }
  }

  /** For what is told to nobody there is no room: the kernel need not put it together. */
  #plainBuffer(): MessageBuffer {
    return this.#options.admit === undefined ? bareBuffer(this.#room) : messageBuffer(this.#room);
  }

  /** Descriptors that come with it go into `handles`, where that is told; otherwise the kernel drops them. */
  #take(flags: number, buffer: MessageBuffer, handles?: OwnedFd[]): Bytes | undefined {
    this.#throwFailure();
    for (let dropped = 0; !this.#ended && dropped < MOST_DROPPED; dropped++) {
      const length = this.#receive(buffer, flags);
      if (length === undefined) return undefined;
      handles?.push(...buffer.takeHandles());
      if (this.#isEnd(length, buffer)) {
        this.#ended = true;
        return undefined;
      }
      if (this.#admits(buffer)) {
        this.#checkLength(length, buffer);
        return this.#handout.copy(buffer.data, length);
      }
      this.#dropped++;
      if (handles !== undefined) closeAll(handles.splice(0));
    }
    return undefined;
  }

  #admits(buffer: MessageBuffer): boolean {
    const { admit } = this.#options;
    return admit === undefined || admit(buffer);
  }

  #receive(buffer: MessageBuffer, flags: number): number | undefined {
    while (true) {
      const length = buffer.receive(this.#descriptor.fd, flags);
      if (length >= 0) return length;
      if (length === -ERRNO.EAGAIN) return undefined;
      // The peer went away without reading everything. What it sent comes first, and then the end.
      if (length === -ERRNO.ECONNRESET) continue;
      throw failure(-length, "recvmsg", "receive from socket", this.#descriptor.target);
    }
  }

  #throwFailure(): void {
    if (this.#failure === undefined) return;
    const { error } = this.#failure;
    this.#failure = undefined;
    throw error;
  }

  /** An empty message has a sender, the end has none. */
  #isEnd(length: number, buffer: MessageBuffer): boolean {
    return length === 0 && this.#options.connected && !buffer.hasSender;
  }

  #checkLength(length: number, { data }: MessageBuffer): void {
    const limit = this.#options.maxMessageSize ?? data.byteLength;
    if (length <= limit) return;
    throw new MessageTooLongError(
      `Cannot receive: a message of ${length} bytes was dropped, the limit is ${limit}`,
      { hint: "raise maxMessageSize" },
    );
  }
}

/** What a message that goes elsewhere is told: an encoded address. */
export interface Destination {
  /** The `struct sockaddr`. */
  readonly to: Bytes;
  /** The same as text. */
  readonly name: string;
}

/** What a message is told that handles go with. */
export class Parcel {
  constructor(readonly handles: Attachment, readonly destination: Destination | undefined) {}
}

/** A {@linkcode Sink} over sendto(2), which takes a message whole or not at all; it owns nothing. */
export class PacketSink implements Sink {
  readonly begun = false;
  readonly maxMessageSize: number;
  readonly #descriptor: Descriptor;
  readonly #connected: boolean;
  /** Whether there was no room at a destination of its own, of which the socket itself cannot tell. */
  #elsewhere = false;

  /** `connected`: whether the peer can be told that nothing will follow. */
  constructor(descriptor: Descriptor, options: { maxMessageSize: number; connected: boolean }) {
    this.#descriptor = descriptor;
    this.#connected = options.connected;
    this.maxMessageSize = options.maxMessageSize;
  }

  put(message: Uint8Array, meta?: unknown): boolean {
    return this.#send(message, meta as Destination | Parcel | undefined, MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  putMany(messages: readonly Uint8Array[], from: number): number {
    let next = from;
    try {
      while (next < messages.length && this.#send(messages[next]!, undefined, MSG_DONTWAIT | MSG_NOSIGNAL)) {
        next++;
      }
    } catch (error) {
      // What stands before it has left; it throws again when it is the first.
      if (next === from) throw error;
    }
    return next;
  }

  putSync(message: Uint8Array, meta?: unknown): void {
    while (!this.#send(message, meta as Destination | Parcel | undefined, MSG_NOSIGNAL)) {
      this.block(undefined);
    }
  }

  finish(): boolean {
    return true;
  }

  detach(): void {}

  readonly park = (wake: () => void): () => void =>
    this.#elsewhere ? lookAgain(() => true, wake) : waitFor(this.#descriptor.fd, "writable", wake);

  block(timeout: number | undefined): void {
    if (this.#elsewhere) Atomics.wait(NEVER, 0, 0, Math.min(timeout ?? PAUSE, PAUSE));
    else this.#descriptor.poll(abi.POLLOUT, timeout);
  }

  end(): void {
    // ENOTCONN: there is nobody who could be told.
    if (this.#connected) libc.shutdown(this.#descriptor.fd, constants.SHUT_WR);
  }

  /** The descriptor is the receiving half's, which closes it last: a wait of that half may still be on it. */
  close(): void {}

  /** False: there is no room. */
  #send(message: Uint8Array, destination: Destination | Parcel | undefined, flags: number): boolean {
    if (destination instanceof Parcel) return this.#sendParcel(message, destination, flags);
    const { fd } = this.#descriptor;
    const bytes = message as Bytes;
    const length = sizeT(message.byteLength);
    while (true) {
      const count = destination === undefined
        ? onView.sendto(SENDTO, fd, bytes, length, flags, null)
        : libc.sendto(fd, bytes, length, flags, destination.to, destination.to.byteLength);
      if (count !== -1) return true;
      const code = errno();
      if (code === ERRNO.EAGAIN) {
        this.#elsewhere = destination !== undefined;
        return false;
      }
      if (code !== ERRNO.EINTR) throw this.#failure(code, destination);
    }
  }

  #sendParcel(message: Uint8Array, { handles, destination }: Parcel, flags: number): boolean {
    const fds = handles.fds();
    const sent = sendMessage(this.#descriptor.fd, message, fds, { flags, to: destination?.to });
    if (sent >= 0) return true;
    if (sent !== -ERRNO.EAGAIN) throw this.#failure(-sent, destination, "sendmsg");
    this.#elsewhere = destination !== undefined;
    return false;
  }

  #failure(code: number, destination: Destination | undefined, syscall = "sendto"): IpcError {
    const target = destination?.name ?? this.#descriptor.target;
    if (code === ERRNO.ECONNREFUSED) {
      return new BrokenPipeError(`Cannot send to "${target}": nobody can receive any more`, {
        code: "ECONNREFUSED",
        errno: code,
        syscall,
        target: String(target),
      });
    }
    return errnoError(code, { syscall, action: `send to "${target}"`, target: String(target) });
  }
}

/** Milliseconds between looks for room at a destination. */
const PAUSE = 1;
const NEVER = new Int32Array(new SharedArrayBuffer(4));
