/** Groups that datagrams are sent to. */

import { ERRNO, errnoError } from "@ipc/core";
import { check, cString } from "@ipc/core/sys";
import { familyOf } from "./_inet_address.ts";
import { libc } from "./_libc.ts";
import { net } from "./_net_abi.ts";
import { inet } from "./_net_libc.ts";
import { setOption } from "./_socket_options.ts";

/** What is to become of a membership. */
export interface MembershipOptions {
  /** The group, as errors call it. */
  group: string;
  /** What is done. */
  action: "join" | "leave";
  /** The name of the interface; the system's choice unless told. */
  name: string | undefined;
}

/** Joins or leaves the group of a `struct sockaddr`, which is of the socket's family. */
export function setMembership(fd: number, sockaddr: Uint8Array, options: MembershipOptions): void {
  const { group, action, name } = options;
  const index = interfaceIndex(name);
  const join = action === "join";
  // struct ip_mreqn or struct ipv6_mreq: the group, then the index of the interface.
  const four = familyOf(sockaddr) === net.AF_INET;
  const request = new DataView(new ArrayBuffer(four ? 12 : 20));
  const address = four ? sockaddr.subarray(4, 8) : sockaddr.subarray(8, 24);
  new Uint8Array(request.buffer).set(address);
  request.setInt32(four ? 8 : 16, index, true);
  const level = four ? net.IPPROTO_IP : net.IPPROTO_IPV6;
  const option = four
    ? join ? net.IP_ADD_MEMBERSHIP : net.IP_DROP_MEMBERSHIP
    : join
    ? net.IPV6_JOIN_GROUP
    : net.IPV6_LEAVE_GROUP;
  const status = libc.setsockopt(fd, level, option, request, request.byteLength);
  check(status, "setsockopt", `${action} group`, group);
}

/** Sends what goes to groups through one interface. */
export function setGroupInterface(fd: number, family: number, name: string): void {
  const index = interfaceIndex(name);
  if (family === net.AF_INET6) {
    return setOption(fd, net.IPPROTO_IPV6, net.IPV6_MULTICAST_IF, index, "the interface of groups");
  }
  const request = new DataView(new ArrayBuffer(12));
  request.setInt32(8, index, true);
  const status = libc.setsockopt(fd, net.IPPROTO_IP, net.IP_MULTICAST_IF, request, 12);
  check(status, "setsockopt", "set the interface of groups for socket", fd);
}

function interfaceIndex(name: string | undefined): number {
  if (name === undefined) return 0;
  const index = inet.if_nametoindex(cString(name));
  if (index !== 0) return index;
  throw errnoError(ERRNO.ENODEV, {
    syscall: "if_nametoindex",
    action: `use interface "${name}"`,
    target: name,
  });
}
