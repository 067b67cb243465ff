/** A connection of node:tls, which alone can ask a client for its certificate. */

import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { ByteConn } from "./_conn_ends.ts";

/** Bytes that may wait to be read before no more are taken from the kernel. */
const MOST_WAITING = 64 * 1024;
/** Milliseconds that the end of a closed connection has to leave. */
const GRACE = 5000;

/** What carries the bytes of a socket; node:net keeps it to itself. */
interface Carrier {
  readonly _handle?: { readStart(): void; readStop(): void } | null;
}

/**
 * A {@linkcode ByteConn} over a socket of node:tls.
 *
 * It is the TCP socket below that is held back, by what carries its bytes: a paused TLS socket goes on reading and keeps
 * what it has read, without limit, and forgets an end that came together with the bytes on which it was paused (Deno
 * 2.9.5).
 */
export class NodeConn implements ByteConn {
  readonly #socket: TLSSocket;
  readonly #carrier: Carrier;
  readonly #arrived: Uint8Array[] = [];
  #waiting = 0;
  #heldBack = false;
  #ended = false;
  #closing = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;
  /** Settles when nothing is left of the connection. */
  readonly gone: Promise<void>;

  /** Takes over a TLS socket and the TCP socket below it. */
  constructor(socket: TLSSocket, below: Socket) {
    this.#socket = socket;
    this.#carrier = below as Carrier;
    const tell = () => this.#tell();
    socket.on("data", (bytes: Uint8Array) => {
      this.#arrived.push(bytes);
      this.#waiting += bytes.length;
      if (this.#waiting > MOST_WAITING) this.#holdBack(true);
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
    const { promise, resolve } = Promise.withResolvers<void>();
    this.gone = promise;
    socket.on("close", () => {
      this.#ended = true;
      resolve();
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
    if (this.#waiting <= MOST_WAITING / 2) this.#holdBack(false);
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
    const socket = this.#socket;
    // What has not left by now had its time.
    if (this.#closing || socket.writableFinished || socket.writableLength > 0) return void socket.destroy();
    this.#closing = true;
    const timer = setTimeout(() => socket.destroy(), GRACE);
    socket.once("close", () => clearTimeout(timer));
    socket.once("finish", () => socket.destroy());
    // Without a word of it the peer could not tell this end from one that somebody on the way has cut off.
    socket.end();
  }

  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  #holdBack(stop: boolean): void {
    if (stop === this.#heldBack) return;
    this.#heldBack = stop;
    if (stop) this.#carrier._handle?.readStop();
    else this.#carrier._handle?.readStart();
  }

  #tell(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
