/** Datagrams of an internet socket: in and out, without waiting. */

import { type Bytes, ERRNO, type SyncOptions, type WaitOptions } from "@ipc/core";
import { BaseSender, type Sink, type Source } from "@ipc/core/base";
import { abi, errno, failure, sizeT, waitFor } from "@ipc/core/sys";
import { constants } from "./_abi.ts";
import { AddressBuffer, type InetAddress } from "./_inet_address.ts";
import { inet } from "./_net_libc.ts";
import type { SocketDescriptor } from "./_socket_descriptor.ts";

const { MSG_DONTWAIT, MSG_NOSIGNAL } = constants;
/** The most messages of one batch: a fast sender must not keep a receiver for ever. */
const MOST_AT_ONCE = 1024;

/** A datagram and where it came from. */
export interface UdpMessage {
  /** Its bytes. */
  readonly data: Bytes;
  /** Who says to have sent it: the network does not check that. */
  readonly from: InetAddress;
}

/** No datagram is longer. What is read is copied out before anything else runs, so that one serves all. */
const incoming: Bytes = new Uint8Array(64 * 1024);
const INCOMING = BigInt(incoming.length);
const sender = new AddressBuffer();

/** A {@linkcode Source} over recvfrom(2); it owns the descriptor. */
export class UdpSource implements Source<Bytes> {
  /** Nobody learns that the other side has gone. */
  readonly ended = false;
  readonly #descriptor: SocketDescriptor;

  constructor(descriptor: SocketDescriptor) {
    this.#descriptor = descriptor;
  }

  take(): Bytes | undefined {
    return this.#take(MSG_DONTWAIT);
  }

  takeMany(max: number = MOST_AT_ONCE): Bytes[] | undefined {
    const batch: Bytes[] = [];
    while (batch.length < max) {
      let message: Bytes | undefined;
      try {
        message = this.take();
      } catch (error) {
        // What was taken is not lost; the error told of something that was sent.
        if (batch.length === 0) throw error;
      }
      if (message === undefined) break;
      batch.push(message);
    }
    return batch.length > 0 ? batch : undefined;
  }

  takeSync(): Bytes {
    for (;;) {
      const message = this.#take(0);
      if (message !== undefined) return message;
      this.block(undefined);
    }
  }

  /** Takes a datagram with its sender, without waiting. */
  takeMessage(): UdpMessage | undefined {
    const data = this.#take(MSG_DONTWAIT);
    return data && { data, from: sender.address };
  }

  ready(): boolean {
    return this.#descriptor.poll(abi.POLLIN, 0) !== 0;
  }

  park(wake: () => void): () => void {
    return waitFor(this.#descriptor.fd, "readable", wake);
  }

  block(timeout: number | undefined): void {
    this.#descriptor.poll(abi.POLLIN, timeout);
  }

  close(): void {
    this.#descriptor.close();
  }

  #take(flags: number): Bytes | undefined {
    const { bytes, length } = sender.reset();
    const { fd, target } = this.#descriptor;
    for (;;) {
      const count = inet.recvfrom(fd, incoming, INCOMING, flags, bytes, length);
      if (count !== -1) return incoming.slice(0, count);
      const code = errno();
      if (code === ERRNO.EAGAIN) return undefined;
      if (code !== ERRNO.EINTR) throw failure(code, "recvfrom", "receive on UDP socket", target);
    }
  }
}

/** A {@linkcode Sink} over sendto(2), which takes a datagram whole or not at all; it owns nothing. */
export class UdpSink implements Sink {
  readonly begun = false;
  readonly maxMessageSize: number;
  readonly #descriptor: SocketDescriptor;

  constructor(descriptor: SocketDescriptor, maxMessageSize: number) {
    this.#descriptor = descriptor;
    this.maxMessageSize = maxMessageSize;
  }

  /** `meta` is the `struct sockaddr` of the receiver; without it, it is the one that the socket is connected to. */
  put(message: Uint8Array, meta?: unknown): boolean {
    return this.#send(message, meta as Bytes | undefined, MSG_DONTWAIT);
  }

  putSync(message: Uint8Array, meta?: unknown): void {
    while (!this.#send(message, meta as Bytes | undefined, 0)) this.block(undefined);
  }

  finish(): boolean {
    return true;
  }

  detach(): void {}

  readonly park = (wake: () => void): () => void => waitFor(this.#descriptor.fd, "writable", wake);

  block(timeout: number | undefined): void {
    this.#descriptor.poll(abi.POLLOUT, timeout);
  }

  end(): void {}

  close(): void {}

  /** False: there is no room. */
  #send(message: Uint8Array, to: Bytes | undefined, flags: number): boolean {
    const { fd, target } = this.#descriptor;
    const size = sizeT(message.byteLength);
    for (;;) {
      const count = inet.sendto(
        fd,
        message as Bytes,
        size,
        flags | MSG_NOSIGNAL,
        to ?? null,
        to === undefined ? 0 : to.length,
      );
      if (count !== -1) return true;
      const code = errno();
      if (code === ERRNO.EAGAIN) return false;
      if (code !== ERRNO.EINTR) throw failure(code, "sendto", "send on UDP socket", target);
    }
  }
}

/** The calls of a sender that say where each datagram goes. */
export class UdpSender extends BaseSender {
  sendTo(message: Uint8Array, to: Bytes | undefined, options: WaitOptions): Promise<void> {
    return this.sendWith(message, options, to);
  }

  trySendTo(message: Uint8Array, to: Bytes | undefined): boolean {
    return this.trySendWith(message, to);
  }

  sendSyncTo(message: Uint8Array, to: Bytes | undefined, options: SyncOptions): void {
    this.sendSyncWith(message, options, to);
  }
}
