/** Binding internet sockets. */

import { AlreadyExistsError, type Bytes, ERRNO, errnoError, type IpcError } from "@ipc/core";
import { check, errno } from "@ipc/core/sys";
import { constants } from "./_abi.ts";
import { familyOf, formatAddress, type InetAddress } from "./_inet_address.ts";
import { libc } from "./_libc.ts";

/** Binds a socket, and says so plainly when the address is taken. */
export function bindSocket(fd: number, sockaddr: Bytes, address: InetAddress): void {
  if (libc.bind(fd, sockaddr, sockaddr.length) === 0) return;
  throw listenFailure(errno(), "bind", address);
}

/** The error of bind(2) or listen(2). */
export function listenFailure(code: number, syscall: string, address: InetAddress): IpcError {
  const target = formatAddress(address);
  const action = `listen at "${target}"`;
  if (code !== ERRNO.EADDRINUSE) return errnoError(code, { syscall, action, target });
  return new AlreadyExistsError(`Cannot ${action}: the address is in use`, {
    code: "EADDRINUSE",
    errno: code,
    syscall,
    target,
    hint: "ss -lntup tells which process has it",
  });
}

/** A socket of the family of an address, non-blocking and close-on-exec. */
export function openSocket(sockaddr: Uint8Array, type: number): number {
  const flags = type | constants.SOCK_NONBLOCK | constants.SOCK_CLOEXEC;
  return check(libc.socket(familyOf(sockaddr), flags, 0), "socket", "create socket");
}
