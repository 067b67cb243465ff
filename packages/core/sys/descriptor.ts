/**
 * A descriptor of a byte stream and the mode it is in.
 *
 * @module
 */

import { ERRNO } from "../errno.ts";
import { IpcError } from "../errors.ts";
import { abi } from "./abi.ts";
import { check, errno, failure } from "./errno.ts";
import { libc, onAddress, onView } from "./_libc.ts";
import { Memory } from "./memory.ts";
import { dropWaits } from "./poller.ts";

/** How a descriptor is taken over. */
export interface DescriptorOptions {
  /** Whether it is non-blocking already. */
  nonblocking?: boolean | undefined;
  /** Others use the same open file description, as with standard input: its mode is never changed. */
  shared?: boolean | undefined;
  /** What errors call it: a path or a name; otherwise its number. */
  target?: string | undefined;
}

/** Numbers as the kernel's `size_t`: a bigint stays on the fast path of FFI, and making one each time costs 14 ns. */
const SIZES: bigint[] = Array.from({ length: 4352 }, (_, size) => BigInt(size));

/** A length as FFI wants it for `size_t`. */
export function sizeT(length: number): bigint {
  return SIZES[length] ?? BigInt(length);
}

const SYS_READ = BigInt(abi.SYS_read);
const SYS_WRITE = BigInt(abi.SYS_write);

/**
 * A descriptor that reads and writes bytes without waiting, or blocking the thread, as each call needs.
 *
 * It owns the descriptor until {@linkcode Descriptor.close}. Non-blocking mode is a property of the open file
 * description, so it is changed only when the next call needs the other one.
 */
export class Descriptor {
  readonly #fd: number;
  readonly #shared: boolean;
  /** What errors call it. */
  readonly target: string | number;
  #nonblocking: boolean;
  #closed = false;

  /** Takes `fd` over. */
  constructor(fd: number, options: DescriptorOptions = {}) {
    this.#fd = fd;
    this.#shared = options.shared ?? false;
    this.#nonblocking = options.nonblocking ?? false;
    this.target = options.target ?? fd;
  }

  /** The number. */
  get fd(): number {
    return this.#fd;
  }

  /** Whether others use the same open file description. */
  get shared(): boolean {
    return this.#shared;
  }

  /** Reads what is there; -1: nothing now, 0: the end. System calls: `read`, `fcntl`, `poll` where shared. */
  read(into: Memory): number {
    if (this.#shared && !this.poll(abi.POLLIN, 0)) return -1;
    if (!this.#nonblocking) this.#setNonblocking(true);
    while (true) {
      const count = this.#read(into);
      if (count !== -1) return count;
      const code = errno();
      if (code === ERRNO.EAGAIN) return -1;
      if (code !== ERRNO.EINTR) throw failure(code, "read", this.#says("read from"), this.target);
    }
  }

  /** Reads, blocking this thread until something is there; 0: the end. */
  readBlocking(into: Memory): number {
    if (this.#nonblocking) this.#setNonblocking(false);
    while (true) {
      const count = this.#read(into);
      if (count !== -1) return count;
      const code = errno();
      if (code === ERRNO.EAGAIN) this.poll(abi.POLLIN, undefined);
      else if (code !== ERRNO.EINTR) throw failure(code, "read", this.#says("read from"), this.target);
    }
  }

  /**
   * Writes what there is room for of the first `length` bytes; -1: there is none.
   *
   * System calls: `write`, `fcntl`, `poll` where shared.
   */
  write(from: Memory, length: number = from.bytes.byteLength): number {
    if (this.#shared) {
      if (!this.poll(abi.POLLOUT, 0)) return -1;
      // As much as a pipe that is ready takes without blocking.
      length = Math.min(length, abi.PIPE_BUF);
    } else if (!this.#nonblocking) this.#setNonblocking(true);
    while (true) {
      const count = this.#write(from, length);
      if (count !== -1) return count;
      const code = errno();
      if (code === ERRNO.EAGAIN) return -1;
      if (code !== ERRNO.EINTR) throw failure(code, "write", this.#says("write to"), this.target);
    }
  }

  /** Writes the first `length` bytes, blocking this thread as long as it takes; an error is `partial` when some are gone. */
  writeBlocking(from: Memory, length: number = from.bytes.byteLength): void {
    if (this.#nonblocking) this.#setNonblocking(false);
    let partial = false;
    try {
      while (true) {
        const count = this.#write(from, length);
        if (count === length) return;
        if (count >= 0) {
          if (count > 0) partial = true;
          from = new Memory(from.bytes.subarray(count));
          length -= count;
        } else {
          const code = errno();
          if (code === ERRNO.EAGAIN) this.poll(abi.POLLOUT, undefined);
          else if (code !== ERRNO.EINTR) throw failure(code, "write", this.#says("write to"), this.target);
        }
      }
    } catch (error) {
      if (partial && error instanceof IpcError) error.partial = true;
      throw error;
    }
  }

  /** Blocks this thread until one of `events` or a hang-up, at most `timeout` milliseconds; returns what happened, 0 for nothing. */
  poll(events: number, timeout: number | undefined): number {
    POLLFD.setInt32(0, this.#fd, true);
    POLLFD.setInt16(4, events, true);
    POLLFD.setInt16(6, 0, true);
    const limit = timeout === undefined ? -1 : Math.min(Math.ceil(timeout), 0x7fff_ffff);
    if (libc.poll(POLLFD, 1n, limit) === -1) {
      const code = errno();
      if (code === ERRNO.EINTR) return 0;
      throw failure(code, "poll", this.#says("wait for"), this.target);
    }
    return POLLFD.getInt16(6, true);
  }

  /** The mode was changed behind this object's back: the runtime's reactor makes what it watches non-blocking. */
  becameNonblocking(): void {
    this.#nonblocking = true;
  }

  /** Closes the descriptor; calling it again does nothing. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    dropWaits(this.#fd);
    libc.close(this.#fd);
  }

  #read({ bytes, address }: Memory): number {
    const length = sizeT(bytes.byteLength);
    return address === null
      ? onView.read(SYS_READ, this.#fd, bytes, length)
      : onAddress.read(SYS_READ, this.#fd, address, length);
  }

  #write({ bytes, address }: Memory, length: number): number {
    const count = sizeT(length);
    return address === null
      ? onView.write(SYS_WRITE, this.#fd, bytes, count)
      : onAddress.write(SYS_WRITE, this.#fd, address, count);
  }

  /** Puts what was tried so that the target may follow. */
  #says(what: string): string {
    return typeof this.target === "number" ? `${what} descriptor` : what;
  }

  #setNonblocking(on: boolean): void {
    if (this.#shared) return;
    const flags = check(
      libc.fcntl(this.#fd, abi.F_GETFL, 0),
      "fcntl",
      "read the mode of descriptor",
      this.#fd,
    );
    const next = on ? flags | abi.O_NONBLOCK : flags & ~abi.O_NONBLOCK;
    check(libc.fcntl(this.#fd, abi.F_SETFL, next), "fcntl", "set the mode of descriptor", this.#fd);
    this.#nonblocking = on;
  }
}

const POLLFD = new DataView(new ArrayBuffer(8));
