/** A connection of node:tls, which alone can ask a client for its certificate. */

import type { TLSSocket } from "node:tls";
import type { ByteConn } from "./_conn_ends.ts";

/**
 * Bytes that may wait to be read before the socket is paused. They are many: the runtime forgets the peer's end where
 * it has come together with the bytes on which it is paused, and a receive would then wait for ever (Deno 2.9.5).
 */
const MOST_WAITING = 4 * 1024 * 1024;

/** A {@linkcode ByteConn} over a socket of node:tls. */
export class NodeConn implements ByteConn {
  readonly #socket: TLSSocket;
  readonly #arrived: Uint8Array[] = [];
  #waiting = 0;
  #ended = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(socket: TLSSocket) {
    this.#socket = socket;
    const tell = () => this.#tell();
    socket.on("data", (bytes: Uint8Array) => {
      this.#arrived.push(bytes);
      this.#waiting += bytes.length;
      if (this.#waiting > MOST_WAITING) socket.pause();
      tell();
    });
    socket.on("end", () => {
      this.#ended = true;
      tell();
    });
    socket.on("error", (error: Error) => {
      this.#error = error;
      tell();
    });
    socket.on("close", () => {
      this.#ended = true;
      tell();
    });
  }

  async read(into: Uint8Array): Promise<number | null> {
    while (this.#arrived.length === 0) {
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended) return null;
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
    const bytes = this.#arrived.shift()!;
    const length = Math.min(bytes.length, into.length);
    into.set(bytes.subarray(0, length));
    if (length < bytes.length) this.#arrived.unshift(bytes.subarray(length));
    this.#waiting -= length;
    if (this.#waiting <= MOST_WAITING / 2 && this.#socket.isPaused()) this.#socket.resume();
    return length;
  }

  write(bytes: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#socket.write(bytes, (error) => error ? reject(error) : resolve(bytes.length));
    });
  }

  closeWrite(): Promise<void> {
    return new Promise((resolve) => this.#socket.end(() => resolve()));
  }

  close(): void {
    this.#socket.destroy();
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  #tell(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
