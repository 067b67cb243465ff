import { check } from "@ipc/core/sys";
import { sockaddrUn } from "../_abi.ts";
import { libc } from "../_libc.ts";
import { decodeUnixAddress, encodeUnixAddress } from "../_unix_address.ts";
import { complete } from "./_call.ts";

/** Makes a socket, and returns its descriptor. System call: `socket`. */
export function socket(domain: number, type: number, protocol = 0): number {
  return complete(() => libc.socket(domain, type, protocol), "socket");
}

/** Makes two connected sockets, and returns their descriptors. System call: `socketpair`. */
export function socketpair(domain: number, type: number, protocol = 0): [number, number] {
  const fds = new Int32Array(2);
  complete(() => libc.socketpair(domain, type, protocol, fds), "socketpair");
  return [fds[0]!, fds[1]!];
}

/**
 * Binds a socket to a path, or to an abstract `@name`. System call: `bind`.
 *
 * @throws {IpcError} `EADDRINUSE`: there is something of that name. `EINVAL`: it is bound already.
 * @throws {RangeError} if the path has more than 107 bytes.
 */
export function bind(sockfd: number, path: string): void {
  const address = encodeUnixAddress(path);
  complete(() => libc.bind(sockfd, address, address.byteLength), "bind", path);
}

/**
 * Connects a socket to a path, or to an abstract `@name`. System call: `connect`.
 *
 * @throws {IpcError} `ECONNREFUSED`: nobody listens there. `EPROTOTYPE`: it is another type of socket. `EAGAIN`: the
 * backlog is full.
 * @throws {NotFoundError} `ENOENT`: there is nothing of that name.
 * @throws {PermissionError} `EACCES`: its mode does not permit it.
 */
export function connect(sockfd: number, path: string): void {
  const address = encodeUnixAddress(path);
  complete(() => libc.connect(sockfd, address, address.byteLength), "connect", path);
}

/** Lets others connect. System call: `listen`. */
export function listen(sockfd: number, backlog: number): void {
  complete(() => libc.listen(sockfd, backlog), "listen", sockfd);
}

/** Accepts a connection, and returns its descriptor. System call: `accept4`. */
export function accept4(sockfd: number, flags = 0): number {
  return complete(() => libc.accept4(sockfd, null, null, flags), "accept4", sockfd);
}

/** Ends one direction or both. System call: `shutdown`. */
export function shutdown(sockfd: number, how: number): void {
  complete(() => libc.shutdown(sockfd, how), "shutdown", sockfd);
}

/** The path or `@name` of a socket; `undefined`: it has none. System call: `getsockname`. */
export function getsockname(sockfd: number): string | undefined {
  return name(sockfd, "getsockname");
}

/** The path or `@name` of its peer; `undefined`: it has none. System call: `getpeername`. */
export function getpeername(sockfd: number): string | undefined {
  return name(sockfd, "getpeername");
}

/** Closes a descriptor. System call: `close`. */
export function close(fd: number): void {
  // Not again after EINTR: the number has been released, and may be somebody else's.
  check(libc.close(fd), "close", "close", fd);
}

function name(sockfd: number, call: "getsockname" | "getpeername"): string | undefined {
  const bytes = new Uint8Array(sockaddrUn.size);
  const length = new Uint32Array([bytes.byteLength]);
  complete(() => libc[call](sockfd, bytes, length), call, sockfd);
  return decodeUnixAddress(bytes, length[0]!);
}
