/** Unix sockets before they are channels: made, named, connected. */

import { ERRNO, errnoError, TimeoutError, type WaitOptions } from "@ipc/core";
import { check, errno, failure, OwnedFd } from "@ipc/core/sys";
import { constants, sockaddrUn } from "./_abi.ts";
import type { UnixAddress, UnixScheme } from "./address.ts";
import { libc } from "./_libc.ts";
import { decodeUnixAddress, encodeUnixAddress } from "./_unix_address.ts";

const { AF_UNIX, SOCK_CLOEXEC, SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM } = constants;

/** The type of socket of each scheme. */
export const SOCKET_TYPES: Readonly<Record<UnixScheme, number>> = {
  "unix": SOCK_STREAM,
  "unix-seqpacket": SOCK_SEQPACKET,
  "unix-dgram": SOCK_DGRAM,
};

/** Pauses between looks for room, in milliseconds. */
const SHORTEST_PAUSE = 1;
const LONGEST_PAUSE = 10;

/** A new socket, close-on-exec. */
export function unixSocket(type: number, flags = 0): OwnedFd {
  const fd = libc.socket(AF_UNIX, type | SOCK_CLOEXEC | flags, 0);
  return new OwnedFd(check(fd, "socket", "create socket"));
}

/** The path or `@name` that a socket is bound to; `undefined`: none. */
export function nameOf(fd: number): string | undefined {
  const bytes = new Uint8Array(sockaddrUn.size);
  const length = new Uint32Array([bytes.byteLength]);
  check(libc.getsockname(fd, bytes, length), "getsockname", "read the address of socket", fd);
  return decodeUnixAddress(bytes, length[0]!);
}

/** What a socket is connected to, as errors call it; `undefined`: to nothing. */
export function remoteOf(fd: number): string | undefined {
  const bytes = new Uint8Array(sockaddrUn.size);
  const length = new Uint32Array([bytes.byteLength]);
  if (libc.getpeername(fd, bytes, length) === 0) {
    return decodeUnixAddress(bytes, length[0]!) ?? "the other end";
  }
  const code = errno();
  if (code === ERRNO.ENOTCONN) return undefined;
  throw failure(code, "getpeername", "read the peer of socket", fd);
}

/**
 * Connects a non-blocking socket; while the listener's backlog is full, tries again every 1 to 10 ms, for the kernel
 * tells nobody of room in it.
 */
export async function connectSocket(
  fd: number,
  { path }: UnixAddress,
  { timeout, signal }: WaitOptions,
): Promise<void> {
  const address = encodeUnixAddress(path);
  const deadline = timeout === undefined ? Infinity : performance.now() + timeout;
  for (let pause = SHORTEST_PAUSE;; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
    if (libc.connect(fd, address, address.byteLength) === 0) return;
    const code = errno();
    if (code === ERRNO.EINTR) continue;
    if (code !== ERRNO.EAGAIN) throw connectError(code, path);
    const left = deadline - performance.now();
    if (left <= 0) {
      throw new TimeoutError(
        `Cannot connect to "${path}": its listener accepted nobody within ${timeout} ms`,
        { target: path },
      );
    }
    await sleep(Math.min(pause, left), signal);
  }
}

/** Throws unless the wait can be begun. */
export function checkWait({ timeout, signal }: WaitOptions): void {
  if (timeout !== undefined && !(timeout >= 0)) {
    throw new RangeError(`Cannot wait ${timeout} ms: a timeout is 0 or more`);
  }
  signal?.throwIfAborted();
}

/** Resolves after some milliseconds; rejects with `signal.reason` when that aborts. */
export function sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted) onAbort();
  });
}

const HINTS: Readonly<Record<number, string>> = {
  [ERRNO.ECONNREFUSED]: "start the program that listens there; the path may be left over from an earlier one",
  [ERRNO.EPROTOTYPE]: "another kind of socket is at this path: unix:, unix-seqpacket: or unix-dgram:",
};

function connectError(code: number, path: string): Error {
  const hint = HINTS[code];
  return errnoError(code, {
    syscall: "connect",
    action: `connect to "${path}"`,
    target: path,
    object: "socket",
    ...(hint === undefined ? {} : { hint }),
  });
}
