/** Packet mode: the kernel keeps the boundaries of what one `write` gave it. */

import { type Bytes, type Decoder, type Framing, raw } from "@ipc/core";
import type { Sink } from "@ipc/core/base";
import { abi, type Descriptor, Memory, waitFor } from "@ipc/core/sys";

/** The framing of the reading end: each read gives one packet. */
export const packets: Framing = {
  ...raw({ maxMessageSize: abi.PIPE_BUF }),
  decoder: (): Decoder => new PacketDecoder(),
};

/** Hands each read on as one message. */
class PacketDecoder implements Decoder {
  readonly #room: Bytes = new Uint8Array(abi.PIPE_BUF);
  #packet: Bytes | undefined;

  get buffered(): number {
    return this.#packet?.byteLength ?? 0;
  }

  room(): Bytes {
    return this.#room;
  }

  commit(length: number): void {
    this.#packet = this.#room.slice(0, length);
  }

  push(bytes: Uint8Array, length: number = bytes.byteLength): void {
    this.#packet = new Uint8Array(bytes.subarray(0, length));
  }

  next(): Bytes | undefined {
    const packet = this.#packet;
    this.#packet = undefined;
    return packet;
  }

  nextMany(into: Bytes[]): void {
    const packet = this.next();
    if (packet !== undefined) into.push(packet);
  }

  end(): void {}

  drain(): Bytes {
    return this.next() ?? new Uint8Array(0);
  }
}

/** Writes each message as one packet; none is ever half gone. */
export class PacketSink implements Sink {
  readonly #descriptor: Descriptor;
  readonly maxMessageSize: number = abi.PIPE_BUF;
  readonly begun = false;

  constructor(descriptor: Descriptor) {
    this.#descriptor = descriptor;
  }

  put(message: Uint8Array): boolean {
    checkPacket(message);
    return this.#descriptor.write(new Memory(message)) >= 0;
  }

  putSync(message: Uint8Array): void {
    checkPacket(message);
    this.#descriptor.writeBlocking(new Memory(message));
  }

  finish(): boolean {
    return true;
  }

  detach(): void {}

  park(wake: () => void): () => void {
    return waitFor(this.#descriptor.fd, "writable", wake);
  }

  block(timeout: number | undefined): void {
    this.#descriptor.poll(abi.POLLOUT, timeout);
  }

  end(): void {
    this.#descriptor.close();
  }

  close(): void {
    this.#descriptor.close();
  }
}

function checkPacket(message: Uint8Array): void {
  if (message.byteLength > 0) return;
  throw new RangeError("Cannot send: the kernel drops empty packets; use a framing for empty messages");
}
