/** A listening descriptor whose connections are counted. */

import { ERRNO, LimitError } from "@ipc/core";
import { abi, Descriptor, errno, failure, waitFor } from "@ipc/core/sys";
import { constants } from "./_abi.ts";
import { libc } from "./_libc.ts";
import type { ListenerSource } from "./listener.ts";

/** Said by a mechanism that a connection was not authorised; it has closed it. */
export const REFUSED: unique symbol = Symbol("refused");

/** What an {@linkcode AcceptSource} is made of. */
export interface AcceptInit<C> {
  /** The listening socket, non-blocking; the source owns it from now on. */
  fd: number;
  /** The address as text. */
  address: string;
  /** The most accepted connections that may be open at a time; others wait in the kernel. */
  maxConnections?: number | undefined;
  /**
   * Makes a channel of a connected descriptor, which it owns from now on, and calls `onClose` once when that closes;
   * or closes the descriptor and says {@linkcode REFUSED}. What it throws, after closing the descriptor, reaches one
   * `accept`.
   */
  admit: (fd: number, onClose: () => void) => C | typeof REFUSED;
  /** Called when the descriptor has been closed. */
  onClose?: (() => void) | undefined;
}

/** Errors of one connection that was lost before it was accepted, by accept(2): the next one is tried. */
const PASSING: ReadonlySet<number> = new Set([
  ERRNO.EINTR,
  ERRNO.ECONNABORTED,
  ERRNO.EPROTO,
  ERRNO.ENETDOWN,
  ERRNO.ENOPROTOOPT,
  ERRNO.EHOSTDOWN,
  ERRNO.ENONET,
  ERRNO.EHOSTUNREACH,
  ERRNO.ENETUNREACH,
]);

/** How many connections of one listener may be open at a time unless told. */
export const DEFAULT_MAX_CONNECTIONS = 1024;

/** Milliseconds until there may be descriptors again. */
const PAUSE = 100;

/** So many are refused before others get a turn: whoever connects all the time must not keep the process busy. */
const MOST_REFUSED = 64;

/** Accepts connections, as many as may be open at a time. */
export class AcceptSource<C> implements ListenerSource<C> {
  readonly #init: AcceptInit<C>;
  readonly #descriptor: Descriptor;
  readonly #most: number;
  #open = 0;
  #refused = 0;
  /** What was thrown last that one connection is the reason of. */
  #costOne: unknown;
  /** Who waits while as many connections are open as may be. */
  #wake: (() => void) | undefined;

  /** Takes the socket over, and closes it if that fails. */
  constructor(init: AcceptInit<C>) {
    const { fd, maxConnections = DEFAULT_MAX_CONNECTIONS } = init;
    this.#init = init;
    this.#descriptor = new Descriptor(fd, { nonblocking: true, target: init.address });
    this.#most = maxConnections;
    if (!(maxConnections >= 1)) {
      this.close();
      throw new RangeError(`Cannot listen with maxConnections ${maxConnections}: it is a number from 1`);
    }
  }

  get address(): string {
    return this.#init.address;
  }

  get fd(): number {
    return this.#descriptor.fd;
  }

  get connections(): number {
    return this.#open;
  }

  get refused(): number {
    return this.#refused;
  }

  get ended(): boolean {
    return false;
  }

  take(): C | undefined {
    for (let refused = 0; this.#open < this.#most && refused < MOST_REFUSED; refused++) {
      const fd = this.#accept();
      if (fd === -1) return undefined;
      this.#open++;
      let admitted: C | typeof REFUSED;
      try {
        admitted = this.#init.admit(fd, () => this.#closed());
      } catch (error) {
        this.#open--;
        this.#refused++;
        throw this.#costOne = error;
      }
      if (admitted !== REFUSED) return admitted;
      this.#open--;
      this.#refused++;
    }
    return undefined;
  }

  /** Whether somebody waits to be accepted, authorised or not. */
  ready(): boolean {
    return this.#open < this.#most && this.#descriptor.poll(abi.POLLIN, 0) !== 0;
  }

  retryAfter(error: unknown): number | undefined {
    if (error instanceof LimitError) return PAUSE;
    return error === this.#costOne ? 0 : undefined;
  }

  park(wake: () => void): () => void {
    if (this.#open < this.#most) return waitFor(this.fd, "readable", wake);
    // Nothing in the kernel is waited for, but who waits keeps the process alive.
    const alive = setInterval(() => {}, 0x7fff_ffff);
    const stop = () => {
      clearInterval(alive);
      this.#wake = undefined;
    };
    this.#wake = () => {
      stop();
      wake();
    };
    return stop;
  }

  block(timeout: number | undefined): void {
    if (this.#open < this.#most) return void this.#descriptor.poll(abi.POLLIN, timeout);
    throw new LimitError(
      `Cannot accept: ${this.#open} connections are open, and none can close while this thread is blocked`,
      { target: this.address, hint: "await accept, or raise maxConnections" },
    );
  }

  close(): void {
    this.#descriptor.close();
    this.#init.onClose?.();
  }

  #closed(): void {
    this.#open--;
    this.#wake?.();
  }

  #accept(): number {
    while (true) {
      const fd = libc.accept4(this.fd, null, null, constants.SOCK_CLOEXEC);
      if (fd !== -1) return fd;
      const code = errno();
      if (code === ERRNO.EAGAIN) return -1;
      if (PASSING.has(code)) continue;
      throw failure(code, "accept4", "accept a connection at", this.address);
    }
  }
}
