/** Binding internet sockets. */

import { AlreadyExistsError, type Bytes, ERRNO, errnoError, type IpcError } from "@ipc/core";
import { check, errno } from "@ipc/core/sys";
import { constants } from "./_abi.ts";
import { familyOf, formatAddress, type InetAddress } from "./_inet_address.ts";
import { libc } from "./_libc.ts";
import { net } from "./_net_abi.ts";
import { setOption } from "./_socket_options.ts";

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

/** The addresses that no host stands for, of both versions of IP: a socket of version 6 serves both. */
export function servingBothFirst(found: Bytes[]): Bytes[] {
  return found.toSorted((a, b) => familyOf(b) - familyOf(a));
}

/** Says whether a socket of version 6 serves version 4 as well. */
export function setVersions(fd: number, sockaddr: Uint8Array, both: boolean): void {
  if (familyOf(sockaddr) !== net.AF_INET6) return;
  setOption(fd, net.IPPROTO_IPV6, net.IPV6_V6ONLY, both ? 0 : 1, "IPv6 only");
}
