/**
 * Waiting for bytes on the reactor of the runtime itself: no thread of the pool, and half the latency.
 *
 * @module
 */

import { Socket } from "node:net";
import { dupCloexec } from "./fd.ts";

/** The options of a socket that `node:net` documents and its types forget. */
interface OnRead {
  buffer: Uint8Array;
  callback: (length: number) => boolean;
}

/** Bytes are copied out of it before anything else runs, so that one serves all. */
const incoming = new Uint8Array(64 * 1024);

/**
 * The reading end of a pipe or stream socket, watched by the runtime's reactor.
 *
 * It owns a duplicate of the descriptor from its construction until {@linkcode Reactor.close}. It reads only
 * while a wait is on, and what it reads goes to `deliver`, in front of whatever is read from the descriptor
 * afterwards. Not for sockets that pass descriptors, nor where message boundaries matter.
 */
export class Reactor {
  readonly #socket: Socket;
  #wake: (() => void) | undefined;
  #finished = false;

  /** Watches a duplicate of `fd`; the open file description becomes non-blocking. */
  constructor(fd: number, deliver: (bytes: Uint8Array) => void) {
    const onread: OnRead = {
      buffer: incoming,
      callback: (length) => {
        deliver(incoming.subarray(0, length));
        this.#ready();
        return false;
      },
    };
    const options = { fd: dupCloexec(fd), readable: true, writable: false, onread };
    this.#socket = new Socket(options as ConstructorParameters<typeof Socket>[0]);
    this.#socket.pause();
    this.#socket.unref();
    const finish = () => {
      this.#finished = true;
      this.#ready();
    };
    this.#socket.on("end", finish);
    this.#socket.on("error", finish);
    this.#socket.on("close", finish);
  }

  /** Whether the end was seen: it cannot wait again, even if another writer comes. */
  get finished(): boolean {
    return this.#finished;
  }

  /** Waits until bytes were delivered, or the end is near, and calls `wake` once; returns what gives it up. */
  park(wake: () => void): () => void {
    this.#wake = wake;
    this.#socket.ref();
    this.#socket.resume();
    return () => this.#rest();
  }

  /** Gives the duplicate back. */
  close(): void {
    this.#wake = undefined;
    this.#socket.destroy();
  }

  #ready(): void {
    const wake = this.#wake;
    this.#rest();
    wake?.();
  }

  #rest(): void {
    this.#wake = undefined;
    this.#socket.pause();
    this.#socket.unref();
  }
}
